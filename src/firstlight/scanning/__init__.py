"""The engine, the acquisition chain, paths, presets, the motion gate and the standard scans."""

from firstlight.scanning._chain import Chain, Node
from firstlight.scanning._claims import Busy, Client, Lock, acting, acting_as
from firstlight.scanning._commands import COMMANDS, ascan, ct, dscan, flyscan, loopscan, sct, timescan
from firstlight.scanning._conduct import Outcome, Watch
from firstlight.scanning._describe import describe
from firstlight.scanning._devices import AnyDevice, Camera, Devices, nearest
from firstlight.scanning._engine import Engine
from firstlight.scanning._estimate import DryRun, Estimate
from firstlight.scanning._gate import Gate, Motion, MotionKind, Rule
from firstlight.scanning._groups import MeasurementGroup, MeasurementGroups
from firstlight.scanning._guard import SessionLock, guard_process, guard_these, guarded
from firstlight.scanning._interrupts import held, interruptible, uninterrupted
from firstlight.scanning._jobs import Job
from firstlight.scanning._manifold import a3scan, a4scan, a5scan, d3scan, d4scan, d5scan
from firstlight.scanning._meshes import amesh, anmesh, dmesh, dnmesh
from firstlight.scanning._presets import EndScan, Preset, RunView
from firstlight.scanning._progress import Listener, Progress
from firstlight.scanning._sequence import MoveTo, ScanSequence
from firstlight.scanning._several import a2scan, anscan, d2scan, dnscan, lookupscan, pointscan
from firstlight.scanning._store import Store
from firstlight.scanning._suspend import Suspender
from firstlight.scanning._tomo import tomo

__all__ = [
    "COMMANDS",
    "AnyDevice",
    "Busy",
    "Camera",
    "Chain",
    "Client",
    "Devices",
    "DryRun",
    "EndScan",
    "Engine",
    "Estimate",
    "Gate",
    "Job",
    "Listener",
    "Lock",
    "MeasurementGroup",
    "MeasurementGroups",
    "Motion",
    "MotionKind",
    "MoveTo",
    "Node",
    "Outcome",
    "Preset",
    "Progress",
    "Rule",
    "RunView",
    "ScanSequence",
    "SessionLock",
    "Store",
    "Suspender",
    "Watch",
    "a2scan",
    "a3scan",
    "a4scan",
    "a5scan",
    "acting",
    "acting_as",
    "amesh",
    "anmesh",
    "anscan",
    "ascan",
    "ct",
    "d2scan",
    "d3scan",
    "d4scan",
    "d5scan",
    "describe",
    "dmesh",
    "dnmesh",
    "dnscan",
    "dscan",
    "flyscan",
    "guard_process",
    "guard_these",
    "guarded",
    "held",
    "interruptible",
    "lookupscan",
    "loopscan",
    "nearest",
    "pointscan",
    "sct",
    "timescan",
    "tomo",
    "uninterrupted",
]
