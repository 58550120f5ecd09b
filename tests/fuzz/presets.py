"""Presets from the stages' own models, the shipped ones rewritten, overrides, and curves by themselves."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cache, partial
from typing import Any

import yaml
from hypothesis import strategies as st

from pipeline.preset import Preset, shelf
from pipeline.preset.yaml12 import read_document
from pipeline.stages import STAGES, Role
from tests.entries import ENTRIES
from tests.fuzz import specimens
from tests.fuzz.case import Case, Entry, Special
from tests.fuzz.damage import Draw, damaged, rewritten
from tests.fuzz.words import TEXTS, curves, junk, keyframes, numbers, schedules

FILE = "mine.yaml"
CHECK = ("check", FILE)
RENDER = ("render", FILE, "--out", "out")
_LAYERS = ["blocks.2.1", "blocks.4.1", "blocks.5.0", "blocks.3.2", "conv_stem", "blocks.0.0", "blocks.9.9", "", "head"]
_SMALL_NUMBERS = {"octaves": 2, "steps": 3, "first_steps": 4, "jitter": 64, "motion_size": 128, "count": 4}
_OFTEN = 12  # one value in so many is junk, one preset in so many rendered


@cache
def files() -> dict[str, Entry]:
    """What presets may name."""
    return {
        "p.png": specimens.pictures()["rgb.png"],
        "alpha.png": specimens.pictures()["alpha.png"],
        "film.mp4": specimens.films()["h264.mp4"],
        "film.gif": specimens.films()["film.gif"],
        "s.mp3": specimens.sounds()["sound.mp3"],
        "row/1.png": specimens.pictures()["rgb.png"],
        "row/2.png": specimens.pictures()["rgb.png"],
        "empty.png": b"",
        "words.txt": b"0:(1.02), 10:(1.1)\n",
        "pipe.png": Special("fifo"),
        "round.png": Special("link", "round.png"),
    }


def case(area: str, text: str | bytes, renders: bool, commands: tuple[tuple[str, ...], ...] = (CHECK,)) -> Case:
    """A preset, and those files that it names; checked, and if so wished rendered."""
    raw = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    named = {name: entry for name, entry in files().items() if name.split("/")[0].encode() in raw}
    chain = (*commands, RENDER) if renders else commands
    return Case(area, (chain,), {FILE: raw, **named}, (FILE, "--set"), whole=True)


@st.composite
def from_models(draw: Draw) -> Case:
    """A preset made by the rules, most of which are kept."""
    sources = [name for name, kind in STAGES.items() if kind.config.role is Role.SOURCE]
    effects = [name for name, kind in STAGES.items() if kind.config.role is Role.EFFECT]
    chosen = [draw(st.sampled_from(sources)), *draw(st.lists(st.sampled_from(effects), max_size=4))]
    chosen += draw(st.sampled_from([["encode"], ["encode"], []]))
    data: dict[str, Any] = {"name": "mine", "size": "64x48", "duration": "6f", "fps": 12, "device": "cpu"}
    top = schema(None)
    for key in draw(st.lists(st.sampled_from(sorted(set(top["properties"]) - {"stages"})), max_size=3, unique=True)):
        data[key] = draw(_value(key, top["properties"][key], top.get("$defs", {})))
    data["stages"] = [{"stage": name} | draw(_stage(name)) for name in chosen]
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    if draw(st.integers(0, 5)) == 0:
        text = rewritten(draw, text)
    return case("preset", text, draw(st.integers(0, _OFTEN)) == 0)


@cache
def schema(name: str | None) -> dict[str, Any]:
    """The JSON schema of a stage, or of the preset's top."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about defaults that are no JSON
        return (Preset if name is None else ENTRIES[name]).model_json_schema()


@st.composite
def _stage(draw: Draw, name: str) -> dict[str, Any]:
    whole = schema(name)
    keys = draw(st.lists(st.sampled_from(sorted(whole["properties"])), max_size=5, unique=True))
    keys += [key for key in whole.get("required", []) if key not in keys]
    if "objective" in keys and "layer" in keys and draw(st.integers(0, 3)):
        keys.remove("layer")
    found = {key: draw(_value(key, whole["properties"][key], whole.get("$defs", {}))) for key in keys}
    found |= {key: draw(numbers(0, _SMALL_NUMBERS[key], True)) for key in ("steps", "octaves") if name == "dream"}
    if draw(st.integers(0, 2 * _OFTEN)) == 0:
        found[draw(st.sampled_from(TEXTS))] = draw(junk())
    return found


def _value(key: str, rules: dict[str, Any], defs: dict[str, Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, _OFTEN).flatmap(lambda chance: junk() if chance == 0 else _sound_value(key, rules, defs))


def _sound_value(key: str, rules: dict[str, Any], defs: dict[str, Any]) -> st.SearchStrategy[Any]:
    if key in _SPECIAL:
        return _SPECIAL[key]()
    kinds = [each.get("type") for each in rules.get("anyOf", [])]
    if kinds[:3] == ["number", "string", "object"]:
        return curves(rules.get("minimum"), rules.get("maximum"))
    if "anyOf" in rules or "oneOf" in rules:
        return st.one_of([_sound_value("", each, defs) for each in rules.get("anyOf", rules.get("oneOf"))])
    return _of_one_kind(key, rules, defs)


def _of_one_kind(key: str, rules: dict[str, Any], defs: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "$ref" in rules:
        return _mapping(defs[rules["$ref"].rpartition("/")[2]], defs)
    if "enum" in rules or "const" in rules:
        return st.sampled_from(rules.get("enum", [rules.get("const")]))
    match rules.get("type"):
        case "integer" | "number" as kind:
            least = rules.get("minimum", rules.get("exclusiveMinimum"))
            most = _SMALL_NUMBERS.get(key, rules.get("maximum", rules.get("exclusiveMaximum")))
            return numbers(least, most, kind == "integer")
        case "array":
            bounds = {bound: rules[bound] for bound in ("minimum", "maximum") if bound in rules}
            items = rules.get("items") or {"type": "number"}
            return st.lists(_value("", items | bounds, defs), min_size=0, max_size=3)
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "object":
            return _mapping(rules, defs) if "properties" in rules else junk()
        case _:
            return st.sampled_from([*rules.get("examples", []), *TEXTS])


def _mapping(rules: dict[str, Any], defs: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    every = {key: _value(key, each, defs) for key, each in rules["properties"].items()}
    needed = {key: every.pop(key) for key in rules.get("required", [])}
    return st.fixed_dictionaries(needed, optional=every)


def _file() -> st.SearchStrategy[str]:
    return st.one_of(st.sampled_from([*files(), "row", "row/%d.png", "row/*.png", "no.png"]), st.sampled_from(TEXTS))


def _layer() -> st.SearchStrategy[Any]:
    name = st.sampled_from(_LAYERS[:4])
    return st.one_of(name, name, st.sampled_from(_LAYERS), keyframes(name))


_SPECIAL = {
    **dict.fromkeys(("path", "image", "film", "guide"), _file),
    "weights": lambda: st.one_of(st.sampled_from(["auto", "random", "random"]), _file()),
    "audio": lambda: st.one_of(st.sampled_from(["none", "source", "song", "s.mp3", "film.mp4"]), _file()),
    "listen": lambda: st.one_of(
        st.sampled_from(["s.mp3", "s.mp3", "source", "film.mp4", {"path": "s.mp3", "bpm": "60-200"}]),
        st.sampled_from([{"path": "s.mp3", "stems": {"drums": "s.mp3"}}, {"path": "s.mp3", "start": "9s"}]),
        _file(),
    ),
    "layer": _layer,
    "set": lambda: st.dictionaries(
        st.sampled_from(
            ["dream.layer", "dream.strength", "zoom.zoom", "palette.to", "stages[1]", "encode.crf", "size"]
        ),
        st.one_of(_layer(), numbers(0, 3, False), junk()),
        max_size=3,
    ),
    "model": lambda: st.sampled_from(
        ["lite0", "lite0", "googlenet", "timm:resnet18", "timm:no.such", "", "vgg16", "timm:", "onnx:p.png", "onnx:"]
    ),
    **dict.fromkeys(
        ("nearest", "journey"),
        lambda: st.lists(
            st.one_of(st.sampled_from(["banana", "tabby", "peacok", 0, 3, 999, 1000]), junk()), max_size=3
        ),
    ),
    "class": lambda: st.one_of(st.sampled_from(["banana", "tabby", "peacok", "", 0, 999, 1000]), junk()),
    "to": lambda: st.sampled_from(["ember", "seed", "photo", "nosuch"]),
    "size": lambda: st.one_of(st.just("64x48"), st.just("32x32"), st.sampled_from(TEXTS)),
    "fps": lambda: st.one_of(st.sampled_from([12, 24, 1, 0.1, "30000/1001", 1000, "1/100000"]), st.just(12), junk()),
    **dict.fromkeys(
        ("duration", "settle", "over", "lead_in", "start", "end"),
        lambda: st.sampled_from(
            ["2f", "6f", "1s", "1s", "0.5s", "2s", "0.1s", "endless", "1h", "100h", "999999999f", "0s", "1m", "x"]
        ),
    ),
    "scenes": lambda: st.one_of(st.just([{"extends": "droste"}, {"extends": "droste", "fade": "1s"}]), junk()),
    "extends": lambda: st.sampled_from([FILE, "no.yaml", "droste", "p.png", [], ["droste", "droste"]]),
    "vars": lambda: st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from([1, "${a}", "${b}", []]), max_size=2),
    "device": lambda: st.sampled_from(["cpu", "auto", "cuda", "cpu:0", "meta", "mps"]),
}


@cache
def _shipped() -> dict[str, str]:
    return {name: path.read_text() for name, path in shelf().items()}


@st.composite
def shipped_rewritten(draw: Draw) -> Case:
    """A preset that comes with dreamreel, after its reader's hands or a bad disk had it."""
    original = _shipped()[draw(st.sampled_from(sorted(_shipped())))]
    if draw(st.integers(0, 3)) == 0:
        others = [text.encode() for text in _shipped().values()]
        return case("preset", damaged(draw, original.encode(), others), renders=False)
    return case("preset", rewritten(draw, original), renders=False)


@st.composite
def overridden(draw: Draw) -> Case:
    """A preset that comes with dreamreel, and what people give as `--set`."""
    name = draw(st.sampled_from(sorted(_shipped())))
    key, value = st.one_of(st.sampled_from(_keys(name)), _strange_key()), st.one_of(_strange_value(), _strange_value())
    changes = draw(st.lists(st.builds(lambda k, v: f"{k}={v}", key, value), min_size=1, max_size=2))
    if draw(st.integers(0, 20)) == 0:
        changes.append(draw(st.sampled_from(["", "=", "fps", "=1", ".=1", "[0]=1", "a==b"])))
    options = [part for change in changes for part in ("--set", change)]
    return case("--set", _shipped()[name], False, (("check", FILE, *options),))


@cache
def _keys(name: str) -> list[str]:
    paths = read_document(_shipped()[name].encode(), name).lines
    written = [
        "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".") for path in paths
    ]
    stages = [f"{kind}.{key}" for kind in ENTRIES for key in schema(kind)["properties"]]
    return [key for key in [*written, *stages, *Preset.model_fields] if key]


def _strange_key() -> st.SearchStrategy[str]:
    odd = [
        "stages",
        "stages[0]",
        "stages[99]",
        "stages[0][0]",
        "stages.0.x",
        "dream",
        "dream.",
        ".fps",
        "fps.x",
        "fps[0]",
    ]
    more = [
        "stages[99999999999999999999].x",
        "dream.objective[0].class",
        "dream.objective.guide",
        "zoom.pan[1]",
        "é.x",
        "x",
    ]
    return st.one_of(st.sampled_from([*odd, *more]), st.sampled_from(TEXTS).filter(lambda text: "=" not in text))


def _strange_value() -> st.SearchStrategy[str]:
    return st.one_of(
        st.sampled_from(TEXTS),
        st.one_of(curves(), junk())
        .map(partial(yaml.safe_dump, default_flow_style=True, allow_unicode=True))
        .map(str.strip),
    )


@st.composite
def curved(draw: Draw) -> Case:
    """One camera, one curve or two, at all lengths and rates."""
    key = draw(st.sampled_from(["zoom", "rotate", "pan", "centre"]))
    curve = st.one_of(curves(0.5, 2), schedules())
    value = draw(curve) if key in ("zoom", "rotate") else [draw(curve), draw(st.one_of(curve, st.just(0)))]
    data = {
        "size": "64x48",
        "fps": draw(st.sampled_from([12, 12, 12, 24, 24, "30000/1001", 1, 0.001, 1000, "1/100000"])),
        "duration": draw(st.sampled_from(["6f", "6f", "6f", "10s", "10s", "10m", "1h", "endless", "999999999f"])),
        "stages": [{"stage": "noise"}, {"stage": "zoom", key: value}],
    }
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    return case("curve", text, draw(st.integers(0, _OFTEN)) == 0)


@st.composite
def extended(draw: Draw) -> Case:
    """A preset over another, or over itself, with variables that are there or not."""
    base = yaml.safe_load(_shipped()[draw(st.sampled_from(["first-light", "chelsea", "droste"]))])
    bases = st.sampled_from(["base.yaml", "base.yaml", "base.yaml", FILE, "droste", "no.yaml", "p.png", "", "row"])
    file = {"extends": draw(st.one_of(bases, st.lists(bases, max_size=2), junk())), "size": "64x48", "duration": "6f"}
    for data, more in ((base, bases), (file, st.just("droste"))):
        entries = st.lists(st.sampled_from(["zoom", "dream", "palette", "tone", "noise", "encode"]), max_size=3)
        data["stages"] = [*data.get("stages", []), *(draw(_over(name)) for name in draw(entries))]
        if draw(st.booleans()):
            data["vars"] = draw(st.dictionaries(st.sampled_from(["a", "b", "c", "2"]), _variable(), max_size=3))
        if draw(st.integers(0, _OFTEN)) == 0:
            data["extends"] = draw(more)
    options = draw(st.sampled_from([(), (), ("--set", "vars.a=2"), ("--set", "vars.b=${a}"), ("--set", "vars.x.y=1")]))
    texts = [yaml.safe_dump(data, sort_keys=False, allow_unicode=True) for data in (file, base)]
    made = case("extends", texts[0], False, (("check", FILE, *options),))
    names = (FILE, "--set", "base.yaml", "droste.yaml", "first-light.yaml", "chelsea.yaml", "p.png")
    return replace(made, files={**made.files, "base.yaml": texts[1].encode(errors="surrogatepass")}, named=names)


@st.composite
def of_scenes(draw: Draw) -> Case:
    """A film of several scenes: presets from the shelf, files, and chains on the spot; it may listen to a song."""
    text = yaml.safe_dump(
        {"size": "64x48", "fps": 12, "device": "cpu"}
        | ({"listen": draw(_SPECIAL["listen"]())} if draw(st.booleans()) else {})
        | draw(st.dictionaries(st.sampled_from(_FILM_KEYS), st.one_of(st.just("1s"), st.just(2), junk()), max_size=1))
        | {
            "scenes": draw(
                st.one_of(st.lists(_scene(), min_size=1, max_size=3), st.lists(_scene(), max_size=1), junk())
            )
        },
        sort_keys=False,
        allow_unicode=True,
    )
    options = draw(st.sampled_from([(), (), (), ("--set", "scenes[1].zoom.zoom=2"), ("--set", "scenes[0].vars.a=2")]))
    options = draw(st.sampled_from([options, options, ("--set", "scenes[0].fade=1s"), ("--duration", "3f")]))
    made = case("scenes", text, draw(st.integers(0, _OFTEN)) == 0, (("check", FILE, *options),))
    base = b"vars: {a: 1.5}\nstages: [{stage: noise}, {stage: zoom, zoom: '${a}'}, {stage: encode}]\n"
    names = (FILE, "--set", "--duration", "base.yaml", "droste.yaml", "triptych.yaml", "p.png", "s.mp3", "film.mp4")
    return replace(made, files={**made.files, "base.yaml": base}, named=names)


@st.composite
def _scene(draw: Draw) -> Any:
    scene: dict[str, Any] = {"stages": [{"stage": "noise"}, {"stage": draw(st.sampled_from(["zoom", "tone", "loop"]))}]}
    if draw(st.booleans()):
        base = draw(st.sampled_from(["base.yaml", "base.yaml", "droste", "triptych", FILE, "p.png"]))
        scene = {"extends": base, "vars": {"a": draw(_variable())}} if draw(st.booleans()) else {"extends": base}
    elif draw(st.booleans()):
        zooms = ["1 + kick", "1 + decay(kick * t, 0.2)", {"every": "1b", "of": [1.1, 0.9]}, {"0b": 1.1, "2b": 0.9}]
        scene["stages"] = [{"stage": "noise"}, {"stage": "zoom", "zoom": draw(st.sampled_from(zooms))}]
        scene["changes"] = {"at": draw(st.sampled_from(["1b", "0s", "0.2b"])), "set": {"zoom.rotate": 3}}
    lengths = st.sampled_from(["3f", "4f", "1s", "0.5s", "endless", "1f", "0s", "x", "1b", "0.5b", "0b", "9999999b"])
    for key in draw(st.lists(st.sampled_from(["fade", "duration", "lead_in"]), max_size=3)):
        scene[key] = draw(lengths)
    if draw(st.integers(0, _OFTEN)) == 0:
        scene[draw(st.sampled_from(_FILM_KEYS))] = draw(st.one_of(st.just("1s"), junk()))
    return scene


_FILM_KEYS = ["duration", "audio", "margin", "changes", "listen", "seed", "stages", "fade", "keep", "vars", "scenes"]


@st.composite
def _over(draw: Draw, name: str) -> dict[str, Any]:
    entry = {"stage": name} | (draw(_stage(name)) if draw(st.booleans()) else {})
    key = draw(st.sampled_from(["zoom", "id", "layer", "octaves", "to", "remove", "path"]))
    return entry | {key: draw(st.one_of(_variable(), st.just(True), st.just("film")))}


def _variable() -> st.SearchStrategy[Any]:
    uses = ["${a}", "${a}${b}", "x${c}", "$${a}", "${", "${d}", "blocks.${a}.1", "p.png", 2, 1.5, "a"]
    return st.one_of(st.sampled_from(uses), junk(), st.lists(st.sampled_from(uses), max_size=2))


def everything() -> st.SearchStrategy[Case]:
    """All of them."""
    return st.one_of(from_models(), shipped_rewritten(), overridden(), curved(), extended(), of_scenes())
