"""How each scan command is typed, for :func:`help`; their own documentation speaks to Python, too."""

from __future__ import annotations

EXAMPLES = {
    "ct": "ct 0.5 diode",
    "sct": "sct 0.5 diode",
    "loopscan": "loopscan 10 0.1 diode",
    "timescan": "timescan 0.1 diode npoints=100",
    "ascan": "ascan rot 0 10 20 0.1 diode",
    "dscan": "dscan sx -0.5 0.5 20 0.1 diode",
    "a2scan": "a2scan sx 0 1 sz 0 0.5 10 0.1 diode",
    "d2scan": "d2scan sx -1 1 sz -0.5 0.5 10 0.1 diode",
    "a3scan": "a3scan sx 0 1 sz 0 0.5 rot 0 10 10 0.1 diode",
    "d3scan": "d3scan sx -1 1 sz -0.5 0.5 rot -5 5 10 0.1 diode",
    "a4scan": "a4scan sx 0 1 sz 0 0.5 rot 0 10 tilt 0 1 10 0.1 diode",
    "d4scan": "d4scan sx -1 1 sz -0.5 0.5 rot -5 5 tilt -1 1 10 0.1 diode",
    "a5scan": "a5scan sx 0 1 sz 0 0.5 rot 0 10 tilt 0 1 sy 0 1 10 0.1 diode",
    "d5scan": "d5scan sx -1 1 sz -0.5 0.5 rot -5 5 tilt -1 1 sy -1 1 10 0.1 diode",
    "anscan": "anscan [(sx,0,1),(sz,0,0.5)] 10 0.1 diode",
    "dnscan": "dnscan [(sx,-1,1),(sz,-0.5,0.5)] 10 0.1 diode",
    "lookupscan": "lookupscan [(sx,[0,0.1,0.5]),(sz,[0,0.2,0.3])] 0.1 diode",
    "pointscan": "pointscan rot [0,1,5,90] 0.1 diode",
    "amesh": "amesh sx -1 1 10 sz -0.5 0.5 5 0.1 diode backnforth=True",
    "dmesh": "dmesh sx -1 1 10 sz -0.5 0.5 5 0.1 diode",
    "anmesh": "anmesh [(sx,-1,1,10),(sz,-0.5,0.5,5)] 0.1 diode",
    "dnmesh": "dnmesh [(sx,-1,1,10),(sz,-0.5,0.5,5)] 0.1 diode",
    "flyscan": "flyscan rot 0 180 1800 0.01 cam diode",
    "tomo": "tomo rot 0 180 1800 0.01 cam diode",
}
