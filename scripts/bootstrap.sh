# Sourced by the scripts beside it: finds uv or brings it, then installs the project into .venv.
# Expects $root; leaves $uv. A script that needs a newer uv 0.x than others sets $least_uv to that x.
# Prints to standard error only, which keeps standard output to results.

uv_version=0.13.9

say() { echo "$*" >&2; }

die() {
    say "error: $*"
    exit 1
}

find_python() {
    for python in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            return
        fi
    done
    die "Python 3.11 or newer is needed, or uv, which can bring one"
}

# Before 0.7, uv does not understand all of our pyproject.toml.
uv_on_path_will_do() {
    found=$(uv --version 2>/dev/null) || return 1
    case "$found" in
        "uv 0."*) minor=${found#uv 0.} && [ "${minor%%.*}" -ge "${least_uv:-7}" ] ;;
    esac
}

bring_uv() {
    find_python
    say "bringing uv $uv_version into .uv (once)"
    rm -rf "$root/.uv"
    # Debian without python3-venv has no ensurepip; pip may be there all the same.
    if "$python" -m venv "$private" >/dev/null 2>&1; then
        "$private/bin/python" -m pip install --quiet --disable-pip-version-check \
            "uv==$uv_version" >&2 || die "pip could not install uv"
    else
        rm -rf "$private"
        "$python" -m pip install --quiet --disable-pip-version-check \
            --target "$private" "uv==$uv_version" >&2 ||
            die "neither venv nor pip works with $python: install python3-venv, or uv itself"
    fi
}

# A proxy may have a certificate authority of its own, which only the system knows.
for store in /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-bundle.crt /etc/ssl/cert.pem; do
    [ ! -e "$store" ] || export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"
done

private="$root/.uv/$uv_version"
if uv_on_path_will_do; then
    uv=uv
else
    uv="$private/bin/uv"
    [ -x "$uv" ] || bring_uv
fi

[ -d "$root/.venv" ] || say "installing into .venv (once, 440 MB)"
unset UV_PROJECT_ENVIRONMENT VIRTUAL_ENV
"$uv" sync --quiet --project "$root" >&2 || die "uv could not install the project"
