"""Small valid text recordings of the readers of text, as their programs lay them out."""

from __future__ import annotations

import gzip
import json


def _labchart() -> str:
    head = (
        "Interval=\t0.001 s\nExcelDateTime=\t4.5292500000000000e+004\t01/01/2024 12:00:00\nTimeFormat=\tStartOfBlock\n"
        "DateFormat=\t\nChannelTitle=\tECG\tGSR\nRange=\t10.000 mV\t40.000 uS\n"
    )
    rows = [f"{at / 1000:.4f}\t{at / 100:.2f}\t{'NaN' if at == 5 else 2 + at / 1000}" for at in range(60)]
    rows[20] += "\t#* question 1 "
    later = head.replace("4.5292500000000000e+004", f"{45292.5 + 10 / 86400:.12f}")
    return head + "\n".join(rows) + "\n" + later + "\n".join(rows[:30]) + "\n"


def _biopac_text(interval: str, lead: str, delimiter: str) -> str:
    head = ["rec.acq", interval, "2 channels", "ECG, X, RSPEC-R", "mV", "Skin conductance", "microsiemens"]
    head += [delimiter.join([lead, "CH1", "CH2"]) + delimiter, delimiter.join(["", "40", "40"]) + delimiter]
    rows = [delimiter.join([f"{at * 0.0005:.6f}", f"{at / 10}", f"{3 + at / 1000}"]) + delimiter for at in range(40)]
    return "\r\n".join([*head, *rows]) + "\r\n"


def _opensignals(device: str) -> str:
    fields = {
        "device": device, "column": ["nSeq", "I1", "A1", "A2", "A3"], "sensor": ["ECG", "EDA", "XYZ"],
        "label": ["A1", "A2", "A3"], "resolution": [10, 10, 10], "sampling rate": 100, "date": "2020-3-1",
        "time": "9:05:7.250",
    }  # fmt: skip
    head = "# OpenSignals Text File Format\n# " + json.dumps({"aa:bb": fields}) + "\n# EndOfHeader\n"
    return head + "".join(f"{n % 16}\t{n % 2}\t{512 + n % 16}\t256\t600\t\n" for n in range(64) if n not in (20, 21))


def _tobii() -> str:
    rows = [
        "Recording timestamp [μs]\tSensor\tGaze point X [DACS px]\tGaze point Y [DACS px]\tPupil diameter left [mm]\t"
        "Pupil diameter right [mm]\tValidity left\tValidity right\tEvent\tEvent value\tPresented Stimulus name"
    ]
    for at in range(40):
        seen = "Invalid" if 20 <= at < 25 else "Valid"
        rows.append(f"{at * 8333}\tEye Tracker\t{900 + at}\t500\t3.{at:02d}\t3.1\t{seen}\t{seen}\t\t\tface.png")
        if at == 30:
            rows.append(f"{at * 8333 + 10}\t\t\t\t\t\t\t\tKeyboardEvent\tSpace\tface.png")
    return "\n".join(rows) + "\n"


def _eyelink() -> str:
    lines = ["** CONVERTED FROM p01.edf using edfapi 4.2", "** VERSION: EYELINK II 1", "**", "",
             "MSG\t1000000 DISPLAY_COORDS 0 0 1919 1079", "START\t1000100 \tLEFT\tRIGHT\tSAMPLES\tEVENTS",
             "PRESCALER\t1", "EVENTS\tGAZE\tLEFT\tRIGHT\tRATE\t 500.00\tTRACKING\tCR\tFILTER\t2",
             "SAMPLES\tGAZE\tLEFT\tRIGHT\tRATE\t 500.00\tTRACKING\tCR\tFILTER\t2\tINPUT"]  # fmt: skip
    for at in range(50):
        time = 1_000_100 + 2 * at
        if at == 30:
            lines += [f"MSG\t{time} TRIALID 7", f"MSG\t{time} -12 QUESTION_ONSET"]
        if at == 40:
            lines.append(f"EBLINK L {time - 20}\t{time}\t22")
        lines.append(f"{time}\t  {900 + at}.0\t  500.5\t 1200.0\t  {902 + at}.0\t  501.5\t 1300.0\t  127.0\t.....")
    return "\n".join([*lines, "END\t1000300 \tSAMPLES\tEVENTS\tRES\t  36.77\t  33.31"]) + "\n"


def _pupil() -> tuple[str, str, str]:
    gaze = ["gaze_timestamp,world_index,confidence,norm_pos_x,norm_pos_y,base_data"]
    gaze += [f"{2.0 + at / 200:.6f},0,0.98,0.{at:02d},0.5,{at}-0" for at in range(20)]
    size = ["pupil_timestamp,world_index,eye_id,confidence,norm_pos_x,norm_pos_y,diameter,method,diameter_3d"]
    size += [f"{2.0 + at / 100:.4f},0,{at % 2},0.9,0.5,0.5,40.1,3d c++,{3 + at / 100}" for at in range(20)]
    zero = 1_700_000_000_123_456_789
    neon = ["section id,recording id,timestamp [ns],gaze x [px],gaze y [px],worn,azimuth [deg],elevation [deg]"]
    neon += [f"a,b,{zero + at * 5_000_000},{800 + at},600,{int(at > 2)},{at / 10},-2.0" for at in range(20)]
    return "\n".join(gaze), "\n".join(size), "\n".join(neon)


_PSYCHOPY = """condition,emotion,trials.thisRepN,trials.thisTrialN,trials.thisN,fix.started,fix.stopped,\
question.started,question.stopped,key_resp.keys,key_resp.rt,key_resp.started,participant,date,psychopyVersion,frameRate,
lie,negative,0,0,0,10.5,11.0,11.0,15.25,y,1.5,11.0,p01,2024,2024.1.1,60.0,
truth,,0,1,1,20.5,21.0,21.0,None,None,,21.0,p01,2024,2024.1.1,60.0,
"""
_LOG = """2.1034 \tWARNING \tMonitor specification not found.
3.5000 \tEXP \tNew trial (rep=0, index=0): OrderedDict([('item', 'probe'), ('stakes', 2)])
3.5100 \tEXP \tquestion: text = 'Where were you?'
3.6000 \tEXP \tquestion: autoDraw = True
5.2500 \tDATA \tKeypress: y
6.0000 \tEXP \tquestion: autoDraw = False
7.0000 \tEXP \tNew trial (rep=0, index=1): {'item': 'control', 'stakes': 0}
7.1000 \tEXP \tpicture: autoDraw = True
"""
_EPRIME = """*** Header Start ***
VersionPersist: 1
LevelName: Session
Experiment: Study
Subject: 1
*** Header End ***
\tLevel: 2
\t*** LogFrame Start ***
\tProcedure: TrialProc
\tItem: probe
\tQuestion.OnsetTime: 12000
\tQuestion.OffsetTime: 15000
\tQuestion.RTTime: 13250
\tQuestion.RT: 1250
\tQuestion.RESP: 1
\tQuestion.CRESP: 1
\t*** LogFrame End ***
"""
_EDATAAID = (
    "study-1-1.edat2\nExperimentName\tSubject\tSession\tTrial\tItem\tStim.OnsetTime\tStim.RTTime\tStim.RESP\n"
    "Study\t1\t1\t1\tprobe\t5000\t5600\t2\nStudy\t1\t1\t2\tcontrol\t9000\tNULL\tNULL\n"
)
_TIMED = "time_s,ecg_mV,eda_uS\n" + "".join(f"{at / 50:.3f},{at % 7},{2 + at / 100}\n" for at in range(60))
_RATE = "# made by a lab\necg;temperature\nmV;degC\n" + "".join(f"{at},5;3{at % 10},25\n" for at in range(40))
_DATES = "timestamp\tecg\n" + "".join(f"2024-03-01 12:00:{at / 20:06.3f}\t{at}\n" for at in range(40))
_CLOCK = "time,ecg\n" + "".join(f"23:59:{58 + at / 20:06.3f},{at}\n" for at in range(30))
_EVENTS = "onset\tduration\ttrial_type\tresponse\n" + "".join(f"{at}.5\t1.0\tquestion {at}\tyes\n" for at in range(8))
_WORDS = "time,label\n12:00:01.5,start\n12:00:03,answer\n12:00:09.25,end\n"

_MANIFEST = """schema_version = 1
name = "p01"
purpose = "fuzzing"

[consent]
scope = ["analyse", "share"]
date = 2025-01-01
expires = 2035-06-01

[[people]]
id = "p01"
role = "subject"
sex = "f"

[[people]]
id = "p02"

[clocks.camera]
reference = true

[clocks.amp]
align = "markers"
own = "ttl"
against = "led"
drift_ppm = 12.5
tolerance_ms = 20

[clocks.phone]
align = "pairs"
pairs = [[0.0, 1.5], [100.0, 101.6]]

[[streams]]
name = "face"
kind = "face_rgb"
files = ["a.mp4", "b.mp4"]
clock = "camera"
people = ["p01", "p02"]
region = { x = 10, y = 20, width = 300, height = 200 }
rotation = 90
seats = [{ time_s = 3.5, person = "p01", x = 0.25 }]

[[streams]]
name = "ttl"
kind = "pulse"
file = "physio.csv"
columns = ["ttl"]
units = ["V"]
rate_hz = 1000
clock = "amp"

[[streams]]
name = "led"
kind = "markers"
file = "led.tsv"
time_column = "onset"
time_unit = "ms"
clock = "camera"

[[streams]]
name = "gaze"
kind = "gaze"
file = "eyes.asc"
person = "p02"
clock = "phone"
screen = { width_px = 1920, width_mm = 520, distance_mm = 650 }

[[evidence]]
own = "ttl"
against = "led"
by = "markers"

[[cues]]
kind = "question"
onset_s = 12.5
offset_s = 15
label = "Where were you?"
person = "p01"
expected = "negative"
columns = { item = "probe", stakes = 2 }

[labels]
condition = "truth"
"""

_gaze, _size, _neon = _pupil()

TEXTS: dict[str, list[tuple[str, bytes]]] = {
    "labchart": [("lab.txt", _labchart().encode())],
    "biopac_text": [
        ("rec.txt", _biopac_text("0.5 msec/sample", "min", "\t").encode()),
        ("rec2.txt", _biopac_text("2000 samples/sec", "sec", ",").encode()),
    ],
    "opensignals": [
        ("o.txt", _opensignals("bitalino_rev").encode()),
        ("p.txt", _opensignals("biosignalsplux").encode()),
    ],
    "eyetracker": [
        ("tobii.tsv", _tobii().encode("utf-8-sig")),
        ("p01.asc", _eyelink().encode()),
        ("gaze_positions.csv", _gaze.encode()),
        ("pupil_positions.csv", _size.encode()),
        ("gaze.csv", _neon.encode()),
    ],
    "experiment_log": [
        ("p01.csv", _PSYCHOPY.encode()),
        ("run.log", _LOG.encode()),
        ("study-1-1.txt", _EPRIME.encode("utf-16")),
        ("merged.txt", _EDATAAID.encode("utf-16")),
    ],
    "table": [
        ("t.csv", _TIMED.encode()),
        ("r.csv", _RATE.encode()),
        ("d.tsv", _DATES.encode()),
        ("c.txt", _CLOCK.encode()),
        ("t.csv.gz", gzip.compress(_TIMED.encode())),
    ],
    "manifest": [("session.toml", _MANIFEST.encode())],
    "events": [("events.tsv", _EVENTS.encode()), ("words.csv", _WORDS.encode())],
}
"""Reader -> files."""
