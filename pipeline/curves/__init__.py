"""Numbers that move along the film: keyframes, expressions, Deforum's schedules, and names that cross-fade."""

from pipeline.curves.curve import Constant, Curve, CurveError, looked_at
from pipeline.curves.deforum import Deforum, PerSecond
from pipeline.curves.expression import Expression
from pipeline.curves.field import CurveField, CurveList, CurvePair, Within, curves_of, parse_curve, range_problem
from pipeline.curves.keyframes import Keyframes
from pipeline.curves.names import NameTrack, NameTrackField, parse_names
from pipeline.curves.turns import Every, EveryField
from pipeline.times import Clock, Moments

__all__ = [
    "Clock",
    "Constant",
    "Curve",
    "CurveError",
    "CurveField",
    "CurveList",
    "CurvePair",
    "Deforum",
    "Every",
    "EveryField",
    "Expression",
    "Keyframes",
    "Moments",
    "NameTrack",
    "NameTrackField",
    "PerSecond",
    "Within",
    "curves_of",
    "looked_at",
    "parse_curve",
    "parse_names",
    "range_problem",
]
