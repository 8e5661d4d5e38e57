"""Random JSON objects and other spellings of them."""

import json

from hypothesis import strategies as st

# Small ones: they take a third of the time, and the rules do not depend on size.
storable = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=8)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | storable,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(storable, inner, max_size=4),
    max_leaves=5,
)
objects = st.dictionaries(storable, values, max_size=4)


def spelled_otherwise(text: str, *, ensure_ascii: bool, indent: int | None) -> str:
    """Write the same object with its members in the opposite order."""

    def opposite(pairs: list[tuple[str, object]]) -> dict[str, object]:
        return dict(reversed(pairs))

    value = json.loads(text, object_pairs_hook=opposite)
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)
