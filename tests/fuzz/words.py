"""Values that programs stumble over, and curves as people and machines write them."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st

from pipeline.curves.deforum import NUMEXPR
from pipeline.curves.expression import OURS
from pipeline.curves.keys import EASES
from pipeline.signals import NAMES

NUMBERS: list[Any] = [
    *(0, 1, -1, 2, 3, 0.5, 0.1, 1.5, -0.0, 7, 24, 255, 1000, 65536, 2**31, 2**63, -(2**63) - 1, 10**30, 10**400),
    *(1e-320, 1e-9, 0.999999999, 1e9, 1e299, 1e300, 1.7e308, float("inf"), float("-inf"), float("nan")),
]
TEXTS = [
    *("", " ", "~", "null", "true", "NO", "on", "0x1F", "0o17", "1_000", "1:30", "-", "--", "1e5", "1e", "+1", "½"),
    *("²", "٣", "٣s", "é", "ﬁ", "日本", "🌀", "a\u0301", "\u202eabc", "\ufeff", "\u2028", "\x85", "\x7f"),
    *("\x1b]0;x\x07", ".", "..", "/", "//", "~", "~/x", "~nobody/x", "/dev/zero", "/dev/null", "/proc/self/mem"),
    *("/usr/**", "*", "?", "[a", "%d", "%05d", "*_%04d.png", "%", "%s", "a/b", "a\\b", "C:\\x", "con", "x" * 300),
    *("y" * 5000, "package:", "package:os/x", "package:skimage", "package:skimage/", "package:skimage/../x"),
    *("package:skimage/data/chelsea.png", "http://x/y.png", "endless", "0s", "1f", "0f", "2f", "0.001s", "100h"),
    *("1h1m1s", "999999999f", "1e3s", "s", "m", "1.s", ".5s", "-1s", "16x16", "15x15", "64x48", "65x49"),
    *("16384x16384", "0x0", "1x1", "99999x16", "64 x 48", "64X48", "64\u00d748", "24", "23.976", "30000/1001", "1/0"),
    *("0/1", "1/1000000", "1000", "1001", "1/100000", "cpu", "cuda", "cuda:99", "cpu:1", "auto", "none", "source"),
    *("seed", "first", "strongest", "subject", "random", "reference", "mps", "meta", "{}", "[]", "a: b", "# x"),
    *(
        "{deforum: 1}",
        "background",
        "{all: [subject, {luminance: [0.3, 1]}]}",
        "{not: {any: [background, {radial: 1}]}}",
    ),
    *("{all: []}", "{not: {not: subject}}", "{any: [{image: p.png}, {film: film.mp4}]}"),
    *("&a b", "*a", "!!str x", "!!python/object:os.system x", "<<", "'", '"', "\t", "\n", "a\nb", "---", "..."),
]
_DEPTH = 120


@cache
def junk() -> st.SearchStrategy[Any]:
    """Anything at all where something sensible was wanted."""
    plain = st.one_of(st.sampled_from(NUMBERS), st.sampled_from(TEXTS), st.none(), st.booleans(), _letters())
    return st.recursive(
        plain,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(TEXTS), inner, max_size=2)
        ),
        max_leaves=4,
    )


def _letters() -> st.SearchStrategy[str]:
    return st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


def numbers(least: float | None, most: float | None, whole: bool) -> st.SearchStrategy[Any]:
    """Numbers from `least` to `most`, the bounds often."""
    low, high = -1000.0 if least is None else least, 1000.0 if most is None else most
    if whole:
        return st.one_of(st.integers(int(low), int(high)), st.sampled_from([int(low), int(high)]))
    return st.one_of(st.floats(low, high).map(lambda x: round(x, 3)), st.sampled_from([low, high]))


@cache
def formulas(deforum: bool = False) -> st.SearchStrategy[str]:
    """Expressions, most of which can be read."""
    language = NUMEXPR if deforum else OURS
    strange = [
        *("1e400", "9**9**9**9", "1j", "True", "'a'", "[1]", "t.real", "().__class__", "lambda: 1", "t if t else 1"),
        *("...", "1 < t < 2", "not t", "t and 1", "f'{t}'", "(t := 1)", "t @ t", "t // 2", "~t", "t << 2"),
        *(
            "__import__('os')",
            "t[0]",
            "{t}",
            "*t",
            "max(*t)",
            "min(t)",
            "noise(t=1)",
            "sin()",
            "1 2",
            "",
            "(",
            "\u2212t",
        ),
        *("t²", "٣", "0777", "1_0", "a\nb", "\\", "-" * _DEPTH + "t", "(" * _DEPTH + "t" + ")" * _DEPTH),
        *("+".join(["t"] * 100), "t" * 600, "2**-t**-t", "(-t)**0.5"),
    ]
    leaves = st.one_of(
        st.sampled_from(language.names), st.sampled_from(["0", "1", "2", "0.5", "1e3", "-3", "1e308", "1e-308", "0.1"])
    )
    heard = [*NAMES, "drums.loud", "drums.kick", "loud.x", "band(60, 120)", "chroma(0)", "band(9, 1)", "chroma(12)"]
    if not deforum:
        leaves = st.one_of(leaves, leaves, st.sampled_from(heard))
    calls = sorted(language.functions.items())
    filters = ["decay(%s, 0.3)", "lag(%s, 0.1, 0.2)", "smooth(%s, 0.2)", "smooth(%s, 1e9)", "decay(%s, 0)", "lag(%s)"]

    def wider(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        call = st.builds(
            lambda which, parts: f"{which[0]}({', '.join(parts[: max(1, which[1][1])])})",
            st.sampled_from(calls),
            st.lists(inner, min_size=3, max_size=3),
        )
        signs = st.sampled_from(["+", "-", "*", "/", "%", "**", "<", ">=", "==", "!=", "&", "|"])
        joined = st.builds(lambda a, sign, b: f"({a} {sign} {b})", inner, signs, inner)
        filtered = st.builds(lambda text, part: text % part, st.sampled_from(filters), inner)
        return st.one_of(call, joined, *([] if deforum else [filtered]))

    sound = st.recursive(leaves, wider, max_leaves=6)
    return st.one_of(sound, sound, sound, sound, st.sampled_from(strange), _letters())


def times() -> st.SearchStrategy[str]:
    """Times of keyframes."""
    odd = [
        "0s",
        "0f",
        "1h",
        "9999h",
        "99999m",
        "9999999.999999999s",
        "999999999f",
        "",
        "x",
        "-1s",
        "1",
        "0.5",
        "٣s",
        "1e3s",
        "4b",
        "0.5b",
        "99999999b",
    ]
    return st.one_of(
        st.integers(0, 20).map(lambda n: f"{n}s"), st.integers(0, 300).map(lambda n: f"{n}f"), st.sampled_from(odd)
    )


def keyframes(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Values at times, with eases or without."""
    ease = st.sampled_from([*EASES, "bounce", "", 1])
    value = st.one_of(values, st.tuples(values, ease).map(list), st.tuples(values).map(list))
    tracks = st.dictionaries(times(), value, min_size=0, max_size=5)
    rising = tracks.map(lambda track: dict(sorted(track.items(), key=lambda pair: (len(pair[0]), pair[0]))))
    return st.one_of(rising, rising, tracks, st.builds(lambda track, ease: track | {"ease": ease}, rising, ease))


@cache
def schedules() -> st.SearchStrategy[dict[str, Any]]:
    """Deforum's, as the web is full of them."""
    places = st.one_of(
        st.integers(0, 300).map(str),
        st.sampled_from(
            ["0", "1", "max_f", "max_f/2", "-5", "1e9", "0.5", "t", "s", "'10'", "", "1e400", "0/0", "9" * 30]
        ),
    )
    value = formulas(deforum=True)
    wrapped = st.one_of(
        value.map(lambda v: f"({v})"), value, value.map(lambda v: f'"{v}"'), value.map(lambda v: f"(({v})")
    )
    frames = st.lists(st.builds(lambda at, v: f"{at}:{v}", places, wrapped), min_size=0, max_size=5)
    gaps = st.sampled_from([", ", ",", " , ", ",,", ";", "\n", ","])
    text = st.builds(lambda gap, parts: gap.join(parts), gaps, frames)
    extra = st.fixed_dictionaries(
        {},
        optional={
            "fps": st.sampled_from([15, 12.5, "30000/1001", 0, "x", 1000]),
            "width": st.sampled_from([512, 0, 1, "x"]),
        },
    )
    whole = st.one_of(text, text, text, st.sampled_from(NUMBERS), st.sampled_from(TEXTS))
    return st.builds(lambda deforum, more: {"deforum": deforum} | more, whole, extra)


@cache
def curves(least: float | None = None, most: float | None = None) -> st.SearchStrategy[Any]:
    """Whatever may stand where a number may move."""
    plain = numbers(least, most, False)
    return st.one_of(plain, plain, formulas(), keyframes(st.one_of(plain, plain, plain, junk())), schedules())
