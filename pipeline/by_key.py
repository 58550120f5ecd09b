"""Which of several configs a mapping is, told by the one key of each that the others lack."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel


class ByKey:
    """`tag` is for a `Discriminator` of members tagged with their classes' names; `checked` stands before it."""

    def __init__(self, kinds: Mapping[str, type[BaseModel]]) -> None:
        self._kinds = kinds

    @property
    def keys(self) -> tuple[str, ...]:
        """Those that tell them apart."""
        return tuple(self._kinds)

    def tag(self, value: object) -> str:
        """The name of the config's class. Raises ValueError where a mapping has none of the keys, or several."""
        if isinstance(value, tuple(self._kinds.values())):
            return type(value).__name__
        named = [key for key in self._kinds if isinstance(value, dict) and key in value]
        if len(named) != 1:
            found = f"names {' and '.join(named)}" if named else "names none"
            raise ValueError(f"must be a mapping with one of the keys {', '.join(self._kinds)}; this one {found}")
        return self._kinds[named[0]].__name__

    def checked(self, value: object) -> object:
        """The value. Raises as `tag` does, in words of its own: a discriminator's are pydantic's."""
        self.tag(value)
        return value
