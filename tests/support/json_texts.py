"""Random JSON objects and other spellings of them."""

import json

from hypothesis import strategies as st

storable = st.text(st.characters(exclude_characters="\0", codec="utf-8"))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | storable,
    lambda inner: st.lists(inner) | st.dictionaries(storable, inner),
    max_leaves=8,
)
objects = st.dictionaries(storable, values)


def spelled_otherwise(text: str, *, ensure_ascii: bool, indent: int | None) -> str:
    """Write the same object with its members in the opposite order."""

    def opposite(pairs: list[tuple[str, object]]) -> dict[str, object]:
        return dict(reversed(pairs))

    value = json.loads(text, object_pairs_hook=opposite)
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)
