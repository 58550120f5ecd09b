"""Small films that together use every kind of stage."""

from __future__ import annotations

from pathlib import Path

from pipeline.preset import Preset, parse_preset
from tests.clips import real_film
from tests.conftest import photograph

FRAMES = 8
HEAD = """\
size: SIZE
fps: 12
duration: 8f
seed: 3
device: DEVICE
stages:
"""
DREAM = "stage: dream, precision: float32, steps: 1, first_steps: 2, jitter: 4"
FOLDED = f"{DREAM}, engine: folded, octaves: 1"
CHELSEA, CARPHONE = photograph("chelsea.png"), real_film("carphone_pristine")
LEARNT = Path(__file__).parent / "chelsea.directions.safetensors"
"""Six directions of blocks.4.1, `dreamreel learn chelsea.png -k 6 --places 1000`."""
FILMS = {
    "zoom, hold, palette": f"""
  - {{stage: noise}}
  - {{stage: zoom, zoom: 1.5, rotate: 20, shear: [0.1, 0.0]}}
  - {{{FOLDED}}}
  - {{stage: palette}}
  - {{stage: hold, brightness: 0.4, contrast: first, saturation: first, sharpness: first, settle: 2f}}
""",
    "tilting towards something new": f"""
  - {{stage: image, path: {CHELSEA}}}
  - {{stage: zoom, zoom: 0.7, tilt: [6, 3], edges: noise, pan: ["0.1 * sin(t)", 0.0]}}
  - {{{FOLDED}, normalise: laplacian, mask: {{radial: 0.4}}}}
  - {{stage: palette, match: distribution}}
""",
    "out through a margin": f"""
  - {{stage: image, path: {CHELSEA}}}
  - {{stage: zoom, zoom: 0.6, rotate: "40 * t", tilt: [6, 0], pan: [0.2, 0.0], edges: noise}}
  - {{{FOLDED}, every: 2, mask: {{radial: 0.5}}}}
  - {{stage: tone, vignette: 0.3}}
  - {{stage: hold, contrast: first, settle: 2f}}
  - {{stage: loop, over: 4f}}
  - {{stage: tone, id: shown, vignette: 0.3, shown_only: true}}
  - {{stage: grain, shown_only: true}}
""",
    "in a kaleidoscope": f"""
  - {{stage: noise}}
  - {{stage: zoom, zoom: 1.3, rotate: "30 * t", symmetry: {{kaleidoscope: 7}}}}
  - {{{FOLDED}, every: 2, mask: {{luminance: [0.2, 1.0]}}}}
  - {{stage: flow, still: 0.5}}
  - {{stage: palette, to: seed}}
  - {{stage: loop, over: 4f}}
""",
    "a wallpaper that drifts": f"""
  - {{stage: image, path: {CHELSEA}}}
  - {{stage: zoom, pan: [0.3, "0.1 * t"], edges: noise, symmetry: {{tiles: [3, 2], mirrored: false}}}}
  - {{{FOLDED}}}
  - {{stage: palette}}
""",
    "footage in mirrors": f"""
  - {{stage: video, path: {CARPHONE}}}
  - {{stage: zoom, zoom: 1.2, edges: noise, symmetry: {{mirror: both}}}}
  - {{stage: flow, half_life: 2}}
  - {{{FOLDED}, mask: {{luminance: [0.2, 1.0]}}}}
""",
    "a picture in itself": f"""
  - {{stage: noise}}
  - {{stage: zoom, zoom: 1.4, rotate: 20, symmetry: {{droste: 2.5}}}}
  - {{{FOLDED}}}
""",
    "through a tunnel": f"""
  - {{stage: noise}}
  - {{stage: zoom, zoom: "2 + t", rotate: 20, depth: {{geometry: tunnel}}, symmetry: {{kaleidoscope: 4}},
     punch: "0.1 * square(t)"}}
  - {{{FOLDED}, every: 2}}
""",
    "fine octaves seldom": f"""
  - {{stage: video, path: {CARPHONE}}}
  - {{stage: zoom, pan: [0.3, 0.0], edges: noise}}
  - {{{DREAM}, engine: folded, octaves: 3, octave_scale: 1.2, layer: blocks.2.1, every: [1, 2, 3],
     mask: {{luminance: [0.2, 1.0]}}}}
""",
    "over ground, with a margin": f"""
  - {{stage: image, path: {CHELSEA}}}
  - {{stage: zoom, zoom: 2.5, pan: [0.2, 0.0], edges: noise, depth: {{geometry: ground, sky: 0.2}}}}
  - {{{FOLDED}}}
  - {{stage: flow, still: 0.5}}
""",
    "what is bright is near": f"""
  - {{stage: image, path: {CHELSEA}}}
  - {{stage: zoom, zoom: 1.2, pan: ["sin(t)", 0.2], edges: noise, depth: {{picture: luminance}}}}
  - {{{FOLDED}, every: 3}}
  - {{stage: zoom, id: map, pan: [0.2, 0.0], depth: {{image: {CHELSEA}, half_life: 0.3}}}}
""",
    "footage with a film of depth": f"""
  - {{stage: video, path: {CARPHONE}}}
  - {{stage: zoom, pan: ["sin(6 * t)", 0.0], depth: {{film: {CARPHONE}}}}}
  - {{{FOLDED}, every: 2}}
""",
    "droste": f"""
  - {{stage: noise}}
  - {{stage: zoom, zoom: 1.6, rotate: 30, edges: wrap}}
  - {{{FOLDED}}}
  - {{stage: palette, to: seed}}
  - {{stage: loop, over: 5f}}
""",
    "grades": f"""
  - {{stage: image, path: {CHELSEA}}}
  - {{stage: zoom, zoom: 1.3, edges: noise}}
  - {{{FOLDED}, mask: {{luminance: [0.3, 0.8]}}}}
  - {{stage: tone, gamma: 1.2, contrast: 1.2, saturation: 1.4, vignette: 0.3}}
  - {{stage: sharpen, amount: 0.8}}
  - {{stage: grain, size: 2.0}}
  - {{stage: palette, image: {CHELSEA}, match: distribution}}
""",
    "moving layers, every third frame": f"""
  - {{stage: noise, kind: white}}
  - {{stage: zoom, zoom: {{0f: 1.2, 6f: 0.8}}, edges: noise}}
  - {{{FOLDED}, every: 3, layer: {{0f: blocks.2.1, 4f: blocks.4.1}}, mask: {{saliency: 0.3}}}}
  - {{stage: palette, to: seed, match: distribution}}
""",
    "guided": f"""
  - {{stage: image, path: {CHELSEA}}}
  - {{{FOLDED}, mask: {{image: {CHELSEA}}}, objective: [{{layer: blocks.4.1, guide: {CHELSEA}}},
     {{layer: blocks.2.1, channel: strongest, count: 3}}]}}
  - {{{FOLDED}, id: other, objective: [{{layer: blocks.4.1, direction: random, weight: "1 + t"}},
     {{layer: blocks.2.1, score: cosine}}], mask: {{film: {CARPHONE}}}}}
""",
    "listening": f"""
  - {{stage: noise}}
  - {{stage: zoom, zoom: "1.2 + 0.5 * kick", rotate: {{every: 1b, of: [20, -20], blend: 0.2}}, punch: "0.1 * kick"}}
  - {{{FOLDED}, strength: "0.1 + 0.3 * decay(snare, 0.1) + 0.1 * lag(band(60, 200), 0.1) * chroma(0)",
     objective: [{{layer: blocks.4.1, journey: [3, 6, 9], life: 1b}}, {{layer: blocks.2.1, weight: {{0b: 0, 1b: 1}}}}]}}
  - {{stage: palette, contrast: "0.7 + 0.1 * tri(beat / 2) + 0.1 * smooth(loud, 0.2)"}}
""",
    "wandering": f"""
  - {{stage: noise}}
  - {{stage: zoom, zoom: 1.5}}
  - {{{FOLDED}, every: 2, objective: [{{layer: blocks.4.1, wander: 3, life: 0.5s, rest: 2s, seed: 7}},
     {{layer: blocks.2.1, channel: strongest, weight: 0.1}}]}}
  - {{stage: palette}}
""",
    "wandering among classes": f"""
  - {{stage: noise}}
  - {{stage: zoom, zoom: 1.3}}
  - {{{FOLDED}, objective: [{{wander: 2, life: 0.4s, rest: 2s}}, {{layer: blocks.2.1, weight: 0.1}}]}}
""",
    "in ProRes, sixteen bits": f"""
  - {{stage: noise}}
  - {{stage: zoom, zoom: 1.3}}
  - {{{FOLDED}}}
  - {{stage: encode, format: prores-4444, mask: {{luminance: [0.3, 1]}}}}
""",
    "a gif, and the film": f"""
  - {{stage: image, path: {CHELSEA}}}
  - {{stage: zoom, zoom: 1.3, rotate: 20}}
  - {{{FOLDED}}}
  - {{stage: encode, format: gif, fps: 6}}
  - {{stage: encode, id: film, for: web}}
""",
    "each place what it resembles": f"""
  - {{stage: image, path: {CHELSEA}}}
  - {{stage: zoom, zoom: 1.2}}
  - {{{FOLDED}, mask: {{detail: 0.02}}, objective: [{{nearest: [castle, palace], weight: "1 + t"}},
     {{layer: blocks.4.1, nearest: [3, 6, 9]}}]}}
""",
    "directions of its own": f"""
  - {{stage: noise}}
  - {{stage: zoom, zoom: 1.3}}
  - {{{FOLDED}, objective: [{{directions: {LEARNT}, wander: 2, life: 0.3s}}, {{directions: {LEARNT}, journey: [0, 3, 5],
     life: 0.2s}}, {{directions: {LEARNT}, nearest: [1, 2]}}, {{directions: {LEARNT}, direction: 4, weight: "t"}}]}}
""",
    "caricature": f"""
  - {{stage: image, path: {CHELSEA}}}
  - {{stage: zoom, zoom: 1.2}}
  - {{{FOLDED}, objective: [{{layer: blocks.4.1, caricature: first, usual: {LEARNT}}},
     {{layer: blocks.2.1, keep: first}}, {{layer: blocks.4.1, caricature: now, weight: "1 + t"}},
     {{layer: blocks.2.1, caricature: {CHELSEA}}}]}}
""",
    "a journey": f"""
  - {{stage: noise}}
  - {{stage: zoom, zoom: 1.3}}
  - {{{FOLDED}, objective: [{{layer: blocks.4.1, journey: [3, 6, 9], life: 0.2s}},
     {{journey: [banana, castle], life: 0.4s}}]}}
""",
    "all around": f"""
  - {{stage: noise}}
  - {{stage: sphere, zoom: {{0f: 1.5, 6f: 0.8}}, yaw: 40, roll: "10 * t"}}
  - {{{FOLDED}, every: 2, layer: blocks.2.1, mask: {{luminance: [0.2, 1]}}, normalise: laplacian}}
  - {{stage: flow, still: 0.5, moving: 0.5}}
  - {{stage: palette, to: seed, match: distribution}}
  - {{stage: sharpen}}
  - {{stage: hold, sharpness: first, settle: 2f}}
  - {{stage: grain}}
""",
    "all around footage": f"""
  - {{stage: video, path: {CARPHONE}, fit: stretch}}
  - {{stage: sphere, zoom: 1.2, pitch: "20 * t"}}
  - {{stage: flow}}
  - {{{FOLDED}, layer: blocks.2.1, mask: {{detail: 0.02}}}}
  - {{stage: palette}}
""",
    "classes": f"""
  - {{stage: noise}}
  - {{{FOLDED}, objective: {{class: banana}}}}
  - {{{DREAM}, id: neuron, objective: {{layer: blocks.4.1, neuron: 3}}, octaves: 1, engine: reference}}
""",
    "eight bits": """
  - {stage: noise}
  - {stage: zoom, zoom: 1.3}
  - {stage: dream, precision: int8, engine: packed, steps: 1, first_steps: 2, jitter: 4, octaves: 2,
     layer: {0f: blocks.2.1, 6f: blocks.1.1}}
""",
    "changed on the way": f"""
  - {{stage: noise}}
  - {{stage: zoom, zoom: 1.5}}
  - {{{FOLDED}, every: 2, layer: blocks.2.1}}
  - {{stage: palette, to: seed}}
""",
    "footage changed on the way": f"""
  - {{stage: video, path: {CARPHONE}}}
  - {{stage: zoom, zoom: 1.2, edges: noise}}
  - {{stage: flow, half_life: 2}}
  - {{{FOLDED}, objective: {{layer: blocks.2.1, channel: strongest, count: 3}}}}
""",
    "scenes": """
  - {stage: encode}
""",
    "a transformer": f"""
  - {{stage: image, path: {CHELSEA}}}
  - {{stage: zoom, zoom: 1.2}}
  - {{{DREAM}, engine: folded, octaves: 1, model: timm:vit_tiny_patch16_224, weights: random, layer: blocks.2.picture}}
""",
    "scenes that hear one song": """
  - {stage: encode}
""",
    "tiles": f"""
  - {{stage: noise}}
  - {{{DREAM}, engine: folded, octaves: 2, layer: blocks.1.0, memory: 1MB}}
""",
    "a subject, over footage": f"""
  - {{stage: video, path: {CARPHONE}, cut_threshold: 3}}
  - {{stage: zoom, zoom: 1.2}}
  - {{{FOLDED}, every: 2, mask: background}}
""",
    "joined masks, over footage": f"""
  - {{stage: video, path: {CARPHONE}, cut_threshold: 3}}
  - {{stage: flow, half_life: 2}}
  - {{{FOLDED}, every: 2, mask: {{any: [{{all: [subject, {{luminance: [0.3, 1]}}]}},
     {{all: [{{find: background, half_life: 1}}, {{not: {{film: {CARPHONE}}}}}]}}]}}}}
""",
    "joined masks in a zoom": f"""
  - {{stage: image, path: {CHELSEA}}}
  - {{stage: zoom, zoom: 0.8, pan: [0.2, 0.0], edges: noise}}
  - {{{FOLDED}, mask: {{any: [subject, {{not: {{image: {CHELSEA}}}}}]}}}}
  - {{stage: encode, format: prores-4444, mask: {{all: [{{radial: 0.6}}, {{not: {{luminance: [0, 0.2]}}}}]}}}}
""",
    "a subject in a zoom": f"""
  - {{stage: image, path: {CHELSEA}}}
  - {{stage: zoom, zoom: 0.8, pan: [0.2, 0.0], edges: noise}}
  - {{{FOLDED}, mask: {{find: subject, soft: 0.02}}}}
  - {{stage: tone, vignette: 0.3}}
""",
    "over footage": f"""
  - {{stage: video, path: {CARPHONE}, cut_threshold: 3}}
  - {{stage: zoom, zoom: 1.2, edges: noise, pan: [0.1, 0.0]}}
  - {{stage: flow, half_life: 2}}
  - {{{FOLDED}, mask: {{luminance: [0.3, 1]}}}}
  - {{stage: palette, to: seed}}
""",
    "over footage, pixels, every second frame": f"""
  - {{stage: video, path: {CARPHONE}, speed: 2}}
  - {{stage: flow, carry: pixels}}
  - {{{FOLDED}, every: 2}}
  - {{stage: hold, contrast: first, settle: 1f}}
  - {{stage: grain, shown_only: true}}
""",
}


SCENES = (
    """\
scenes:
  - {extends: chelsea, duration: 4f, stages: [{DREAM, octaves: 1}]}
  - duration: 5f
    fade: 0.25s
    margin: 0.1
    lead_in: 2f
    seed: 4
    stages: [{stage: noise}, {stage: zoom, pan: [0.3, 0.0], edges: noise}, {FOLDED}, {stage: palette, to: seed}]
    changes: [{at: 3f, set: {zoom.rotate: 20, dream.every: 2}}]
  - duration: 4f
    fade: 2f
    stages: [{stage: video, path: CARPHONE}, {stage: flow}, {FOLDED}, {stage: grain, shown_only: true}]
""".replace("{DREAM", f"{{{DREAM}")
    .replace("{FOLDED", f"{{{FOLDED}")
    .replace("CARPHONE", str(CARPHONE))
)
SONG = Path(__file__).parent.parent / "presets/songs/glasshouse.m4a"
HEARING = (
    """\
listen: {path: SONG, start: 12s, bpm: 96, first_beat: 0.1s}
scenes:
  - duration: 5f
    stages:
      - {stage: noise}
      - {stage: zoom, zoom: "1.2 + 0.5 * kick", rotate: {every: 0.5b, of: [20, -20]}, punch: "0.1 * decay(kick, 0.1)"}
      - {FOLDED, layer: blocks.2.1}
  - duration: 0.8b
    fade: 0.4b
    lead_in: 1f
    seed: 4
    stages:
      - {stage: image, path: CHELSEA}
      - {stage: zoom, zoom: "1 + 0.3 * t", punch: "0.1 * decay(kick, 0.1)"}
      - {FOLDED, strength: "0.1 + 0.3 * smooth(band(60, 200), 0.1)", every: 2}
    changes: [{at: 0.8b, set: {zoom.rotate: "40 * lag(hat, 0.1)"}}]
""".replace("SONG", str(SONG))
    .replace("CHELSEA", str(CHELSEA))
    .replace("{FOLDED", f"{{{FOLDED}")
)
SIZES = {"tiles": "160x128", "all around": "128x64", "all around footage": "128x64"}
TOPS = {
    "all around": "projection: equirectangular\n",
    "all around footage": "projection: equirectangular\n",
    "listening": f"listen: {{path: {SONG}, start: 12s}}\n",
    "out through a margin": "margin: 0.26\n",
    "over ground, with a margin": "margin: 0.2\n",
    "a wallpaper that drifts": "margin: 0.1\n",
    "scenes": SCENES,
    "scenes that hear one song": HEARING,
    "changed on the way": """\
changes:
  - {at: 2f, set: {dream.layer: blocks.4.1, zoom.zoom: {0f: 1.5, 8f: 0.8}}}
  - {at: 0.4s, set: {dream.objective: {layer: blocks.4.1, channel: 3}, palette.match: distribution}}
  - {at: 7f, set: {dream.every: 1}}
""",
    "footage changed on the way": """\
changes:
  - {at: 2f, set: {video.speed: 2, dream.strength: 0.5}}
  - {at: 5f, set: {zoom.rotate: "40 * t", flow.carry: pixels}}
""",
}
"""What stands at the top of some of them, beside the head."""


def film(name: str, device: str = "cpu", engine: str = "folded") -> Preset:
    """One of them, its folded engine perhaps exchanged for another."""
    head = TOPS.get(name, "") + HEAD.replace("DEVICE", device).replace("SIZE", SIZES.get(name, "64x48"))
    text = (head + FILMS[name]).replace("engine: folded", f"engine: {engine}")
    return parse_preset(text.encode(), name="film")
