"""attrs classes with many optional fields, whose objects hold only what they were given.

Of the forty options of a request two or three are given, and a reply to a submission has four of a job's twenty-odd
fields. Filling in all the others is most of the work of making such an object, and most of its memory.
"""

from __future__ import annotations

from functools import wraps
from typing import Any, Final, TypeVar

import attrs

_T = TypeVar("_T")
_FACTORY: Final[Any] = attrs.Factory


def sparse(model: type[_T]) -> type[_T]:
    """Leaves the defaults of an attrs class made with ``slots=False`` with the class, where every object finds them.

    To be put above attrs' own decorator. Equality, hash, repr, `attrs.evolve`, copying and pickling work as before. Calls
    that do not fit go to the constructor that attrs has made, which knows what to say about them.
    """
    cls: Any = model
    fields = attrs.fields(cls)
    names = frozenset(field.name for field in fields)
    positional = tuple(field.name for field in fields if not field.kw_only)
    mandatory = tuple(
        field.name for field in fields if field.default is attrs.NOTHING or isinstance(field.default, _FACTORY)
    )
    for field in fields:
        if field.name not in mandatory:
            setattr(cls, field.name, field.default)
    fill = cls.__init__
    finish = getattr(cls, "__attrs_post_init__", None)

    @wraps(fill)
    def __init__(self: Any, *args: Any, **options: Any) -> None:
        given = options
        if args:
            given = dict(zip(positional, args, strict=False))
            given.update(options)
        fits = len(given) == len(args) + len(options) and names.issuperset(given)
        for name in mandatory:
            fits = fits and name in given
        if not fits:
            fill(self, *args, **options)
            return
        self.__dict__.update(given)
        if finish is not None:
            finish(self)

    cls.__init__ = __init__
    return model


def filled(model: type[_T], values: dict[str, Any]) -> _T:
    """An object of a sparse class from values that are known to fit: all names fields, none missing, nothing to check.

    The dictionary becomes the object's own.
    """
    made = object.__new__(model)
    object.__setattr__(made, "__dict__", values)
    return made
