"""Bad files of every layout: each is refused by its name and place, with what to do about it."""

import shutil

import numpy as np
import pandas as pd
import pytest
from damage import (
    again,
    called,
    cells,
    content,
    copied,
    cut,
    edit,
    emptied,
    gone,
    keys,
    line,
    lines,
    named,
    rows,
    saved,
    sound,
    swapped,
)
from wellformed import LAYOUTS

POINTS = {f"{axis}_{k}": "" for axis in "xy" for k in range(1, 50)}
EYES = [f"{axis}_{k}" for axis in "xy" for k in range(20, 32)]


def slower(table):
    return table.assign(timestamp=table["timestamp"].astype(float) * 25 / 30)


def beside(name):
    """The same file or folder in another place too."""

    def do(path):
        top = next(parent for parent in path.parents if parent.name == "data")
        shutil.copytree(path, top / name)

    return do


def tabbed(**values):
    """Whole columns of a table of tabs."""

    def do(path):
        pd.read_csv(path, sep="\t", dtype=str).assign(**values).to_csv(path, sep="\t", index=False)

    return do


def every(factor):
    """Times in another unit."""
    return edit(lambda table: table.assign(time=(table["time"].astype(float) * factor).round(6).astype(str)))


def both(*damages):
    return lambda path: [damage(path) for damage in damages]


def same_picture(path):
    shutil.copy(path.parent / "images/000004.png", path.parent / "images/000009.png")


def elsewhere(whole):
    whole["frames"]["../../elsewhere"] = whole["frames"].pop("00001")


def blind(folder):
    for path in folder.glob("*/*.json"):
        keys(lambda whole: [entry.update(landmarks=[]) for entry in whole["frames"].values()])(path)


def frame(**values):
    """Change the annotations of frame 00001."""
    return keys(lambda whole: whole["frames"]["00001"].update(values))


HEADER = "row 1 (the header): "
SEEN = "studyforrest-data-annotations/segments/avmovie/conf_visual_run-2_events.tsv"
LANDMARKS = "train_set/annotations/000003_lnd.npy"


def later(path):
    """The run begins three pictures later than it should: its rows move up, its onsets stay."""
    first, *rest = path.read_text().splitlines()
    onset = first.split("\t").index("onset")
    moved = [row.split("\t") for row in rest[3:] + rest[-3:]]
    for k, cell in enumerate(moved):
        cell[onset] = f"{k / 25:.2f}"
    path.write_text("\n".join([first, *map("\t".join, moved)]))


# layout, file: damage, what is said besides the file's name ("..." stands for anything); what `Table` refuses in every
# layout stands for manifest, and what it reads, in test_data_texts
CASES = {
    ("studyforrest", "studyforrest-paper-emotionannotation/data/raw/av1o05.csv"): [
        (cells(3, end="2"), "row 3 (the header is row 1): the episode ends at '2', and starts at"),
        (cells(5, start="7.5"), "row 5 ...start is '7.5', not a whole number. Restore"),
        (cells(6, arousal="MIDDLE"), "row 6 ...arousal is 'MIDDLE'. Use one of: an empty cell, LOW, HIGH"),
    ],
    ("studyforrest", SEEN): [
        (later, "row 52 ...to 302: brmean differs ...run-1_events.tsv...does not begin 40 s after"),
        (swapped("\t0.04\t80\n", "\t0.04\n"), "row 2 (the first is row 1): 6 cells, not 7"),
    ],
    ("studyforrest", SEEN.replace("visual_run-2", "audio_run-1")): [
        (tabbed(rms="0"), "column rms: it never changes. Restore"),
        (gone, " is not there"),
        (lines(1101), "its last row, onset 43.96, ends 2.00 s too early for the run after it. Restore"),
        (swapped("\t0.20\t0.04\t80", "\t0.23\t0.04\t80"), "row 7 ...onset '0.23' is not that of a row every"),
    ],
    ("studyforrest", "studyforrest-data-annotations/old/speech/english_dialog.csv"): [
        (cells(2, end="1.0"), "row 2 (the header is row 1): it ends at '1.0', and starts at '3.0'"),
    ],
    ("ferplus", "fer2013new.csv"): [
        (cells(7, NF="10"), "row 7 ...the votes do not add up to ten"),
        (cells(7, Usage="Test"), "row 7 ...Usage is 'Test'. Use one of: Training, Public"),
        (rows(slice(-1)), "rows belong together by their order. Fetch both files again"),
        (cells(9, **{"Image name": "fer0000002.png"}), "row 9 ...has no higher number than those above, as"),
    ],
    ("ferplus", "fer2013.csv.gz"): [
        (cells(7, emotion="7"), "row 7 ...emotion is '7', outside 0 to 6. Fetch"),
        (cells(7, Usage="Training"), "row 7 ...Usage is 'Training', another than in the same"),
        (cells(7, pixels="1 2 3"), "row 7 ...3 pixels, not 48 x 48 = 2304. Fetch"),
        (cells(7, pixels="1 2 256"), "row 7 ...pixels must be whole numbers from 0 to 255"),
        (rows(slice(-1)), "rows belong together by their order. Fetch both files again"),
        (copied("fer2013.csv"), "holds fer2013.csv and fer2013.csv.gz, and one is read. Take the other one"),
        (cut(-500), "is not a ...CSV file...Fetch it again"),
    ],
    ("affectnet-csv", "training.csv"): [
        (cells(4, valence="1.2"), "row 4 ...valence is '1.2', outside -2 to 1"),
        (cells(4, arousal="-1.5"), "row 4 ...arousal is '-1.5', outside -1 to 1 and not -2"),
        (cells(4, face_x="NULL"), "row 4 ...face_x is 'NULL', not a number"),
        (cells(4, face_x="500"), "row 4 ...the corners of the face box from [500.0, 0.0] to [548.0, 48.0] m"),
        (cells(4, facial_landmarks=";".join(["0.5"] * 136)), "row 4 ...landmarks from [0.5, 0.5] to [0.5, 0"),
        (cells(4, facial_landmarks="1;2;3"), "row 4 ...facial_landmarks is not 68 points"),
        (cells(4, facial_landmarks="1_0;" * 135 + "1"), "row 4 ...facial_landmarks is not"),
        (cells(4, subDirectory_filePath="../x.png"), "row 4 ...'../x.png' leaves the data folder"),
    ],
    ("affectnet-csv", "validation.csv"): [
        (cells(3, subDirectory_filePath="1/no.png"), "row 3 ...there is no picture no.png"),
        (called(face_width="width"), HEADER + "no column face_width, only"),
        (gone, " is not there"),
    ],
    ("affectnet-csv", "Manually_Annotated_Images"): [
        (beside("Manually_Annotated/Manually_Annotated_Images"), "holds Manually_Annotated_Images and Manua"),
    ],
    ("affectnet-csv", ""): [
        (lambda folder: (folder / "train_set").mkdir(), "holds training.csv and train_set, and one is read"),
        (emptied, "holds neither training.csv nor train_set/"),
    ],
    ("affectnet-folders", "train_set/images/000002.jpg"): [
        (copied("000002.PNG"), "000002.jpg is there already as train_set/images/000002.PNG"),
    ],
    ("affectnet-folders", "train_set/annotations/000003_exp.npy"): [
        (saved(np.array("12")), "000003_exp.npy does not hold one category, 0 to 10"),
    ],
    ("affectnet-folders", "train_set/annotations/000003_aro.npy"): [
        (saved(np.array("calm")), "does not hold one number from -1 to 1, or -2"),
        (saved(np.array("nan")), "does not hold one number"),
        (saved(np.array({}, dtype=object)), "does not hold one number"),
    ],
    ("affectnet-folders", LANDMARKS): [
        (saved(np.linspace(3, 40, 136).reshape(2, 68)), "does not hold 68 points, x and y in turn"),
        (gone, f"{LANDMARKS} is not there"),
    ],
    ("affwild", "annotations/train/valence/ben.txt"): [
        (line(2, "1.5"), "row 2: value is '1.5', outside -1 to 1. Restore the file"),
        (line(2, "-5"), "row 2: value is '-5', outside"),
        (line(2, "0_1"), "row 2: value is '0_1', not a number"),
        (line(2, ""), "row 2: it lacks a number"),
        (line(4, "0.5"), " has 4 lines, ...arousal/ben.txt has 3. Restore both"),
        (gone, " is not there. Restore it, or take its count"),
    ],
    ("affwild", "annotations/train"): [
        (beside("annotations/VA_Set/Train_Set"), "holds annotations/train and annotations/VA_Set/Train_Set,"),
        (lambda folder: (folder / "eve.txt").touch(), " holds annotations of both releases, eve.txt and val"),
    ],
    ("affwild", "frames/ben/00003.png"): [
        (copied("00004.png"), "frames/ben/00004.png has no line: ...frames 1 to 3"),
        (named("face_3.png"), "ben/face_3.png is not named by a frame number. Rename"),
        (copied("3.png"), "frames/ben/3.png is there already as frames/ben/00003.png. Take one"),
        (cut(200), "frames/ben: the picture 00003.png cannot be read ...Replace it"),
    ],
    ("affwild", "frames/ben"): [(emptied, "frames/ben holds no picture. Cut its faces out of the video")],
    ("affwild", ""): [(emptied, "annotations/train holds no annotation. data/README.md says")],
    ("affwild2", "annotations/train/ben.txt"): [
        (line(1, "arousal,valence"), HEADER + "it is not valence,arousal. Restore"),
        (line(3, "0.1,-4"), "row 3 ...it is not from -1 to 1, or -5 for none. Restore"),
        (line(3, "0.1"), "row 3 ...1 cells, not 2"),
    ],
    ("afewva", "002/002.json"): [
        (frame(valence=11), "frame 00001: valence is 11, not a number from -10 to 10. Restore"),
        (frame(valence="3"), "frame 00001: valence is 3, not a number"),
        (frame(arousal=float("nan")), "frame 00001: arousal is nan, not a number"),
        (frame(arousal=0.5), "frame 00001: arousal is 0.5, not a whole number; those from -10 to 10 are div"),
        (frame(landmarks=[[1, 2]] * 67 + [[1]]), "frame 00001: the landmarks are not 68 pairs of finite"),
        (frame(landmarks=[[1, 2]] * 67 + [[1, 10**400]]), "frame 00001: the landmarks are not 68 pairs"),
        (frame(landmarks=[[0.4, 0.3], [0.7, 0.8]] * 34), "the corners of the face box from [0.0, 0.0] to [1"),
        (keys(elsewhere), "frame ../../elsewhere: it is not named by a number"),
        (keys(lambda whole: whole["frames"].update({"01": whole["frames"]["00001"]})), "frame 01 is there a"),
        (keys(lambda whole: whole["frames"]["00001"].pop("arousal")), "frame 00001: it lacks val"),
        (content("[" * 100000), " is no JSON: ...Restore it from the release."),
        (content("[]"), ' has no "actor", or no "frames". Restore it'),
        (keys(actor=["x"]), "key \"actor\": ['x'] is no name. Restore the file"),
        (content('{"actor": 1, "actor": 2}'), "no JSON: the key 'actor' is there twice. Restore"),
        (gone, " is not there. Restore it, or take the folder 002"),
    ],
    ("afewva", "002/00001.png"): [
        (cut(200), "frame 00001: the picture 00001.png cannot be read ...Repl"),
        (gone, "frame 00001: there is no picture 002/00001.png. Restore it, or take the frame"),
    ],
    ("afewva", ""): [
        (blind, "no frame is left, of ...'frame without face': 14...Add annotated frames"),
        (emptied, "holds no clip, a folder such as 001. data/README.md says"),
    ],
    ("morphset", "Morphset.csv"): [
        (cells(4, Subject="1.5"), "row 4 ...Subject is '1.5', not a whole number"),
        (cells(4, **{"Emotion Label": "CO"}), "row 4 ...is 'CO'. Use one of: NE, HA, SA, SU, AF, FE, DI"),
        (cells(4, Filename="000000.png"), "row 4 ...'000000.png' has an earlier row. Take one of them"),
        (cells(4, Filename="../x.png"), "row 4 ...the file name '../x.png' leaves the data folder"),
        (cells(**{"Emotion Label": "HA"}), "no row of neutral, sad, surprise, fear, disgust, anger. Fetch"),
        (cells(Subject="1"), "train and test need two videos or subjects; there is 1 only"),
    ],
    ("rafdb", "EmoLabel/list_patition_label.txt"): [
        (line(3, "train_00003.jpg 8"), "line 3: 'train_00003.jpg 8' is not a name such as ...label from 1 t"),
        (line(3, "../train_00003.jpg 5"), "line 3: '../train_00003.jpg 5' is not a name such as"),
        (line(3, "train_00001.jpg 5"), "line 3: train_00001 is there already as list_patition_label.txt, li"),
        (content(""), " is empty. Fetch it again."),
        (gone, " is not there. data/README.md says"),
    ],
    ("rafdb", "valence_arousal.csv"): [
        (line(3, "train_00002.jpg,1.5,0"), "row 3 ...valence is '1.5', outside -1"),
        (line(3, "x.jpg,0,0"), "row 3 ...name is 'x.jpg', no pic"),
        (line(3, "train_00001.jpg,0,0"), "row 3 ...'train_00001.jpg' has an earlier"),
        (rows([0, *range(2, 14)]), "1 training pictures have no row, train_00002.jpg fi"),
    ],
    ("rafdb", "Image/aligned/train_00003_aligned.jpg"): [
        (cut(99), "line 3: the picture train_00003_aligned.jpg cannot be read"),
        (gone, "line 3: there is no picture train_00003_aligned.jpg."),
    ],
    ("rafdb", "EmoLabel"): [
        (beside("basic/EmoLabel"), "holds basic/EmoLabel/list_patition_label.txt and EmoLabel")
    ],
    ("rafdb", "Image/aligned"): [(shutil.rmtree, "aligned is not there. Unpack aligned.zip")],
    ("sfew", "Train_Aligned_Faces/Fear"): [
        (named("Contempt"), "Train_Aligned_Faces/Contempt is no class of SFEW: these are Angry, Disgust"),
        (emptied, "Fear holds no picture. Unpack the release again."),
    ],
    ("sfew", "Val_Aligned_Faces_new"): [
        (shutil.rmtree, "has none of Val/Val_Aligned_Faces_new, ...with folders Angry")
    ],
    ("manifest", "manifest.csv"): [
        (cells(5, path="../outside.png"), "row 5 ...'../outside.png' leaves the data fol"),
        (cells(5, path=""), "row 5 (the header is row 1): path is empty"),
        (cells(5, path="x" * 300), "row 5 ...no file can have the name 'xxx"),
        (cells(5, path="images/gone.png"), "row 5 ...there is no picture gone.png"),
        (cells(5, path="manifest.csv"), "row 5 ...the picture manifest.csv cannot be read"),
        (cells(5, split="dev"), "row 5 ...split is 'dev'. Use one of: train, validation, test"),
        (cells(5, subject="n/a"), "row 5 ...subject is empty ('n/a'). Name it"),
        (cells(3, subject=" JOE"), "subject 'JOE' is in two splits, images/000001.png in train and images/"),
        (cells(5, valence="1.01"), "row 5 ...valence is '1.01', outside -1 to 1"),
        (cells(5, valence="calm"), "row 5 ...valence is 'calm', not a number"),
        (cells(5, arousal="NaN"), "row 5 ...valence without arousal, or the other way"),
        (cells(5, rater_2_arousal=""), "row 5 ...rater_2_valence without rater_2_arousal"),
        (cells(5, landmarks="../x.npy"), "row 5 ...'../x.npy' leaves the data folder"),
        (cells(5, landmarks="landmarks/gone.npy"), "row 5 ...there is no gone.npy"),
        (cells(5, landmarks="images/000000.png"), "000000.png is not a .npy of numbers"),
        (cells(rater_2_valence="NaN", rater_2_arousal=""), "column rater_2_valence: no row has a rating. Ta"),
        (cells(rater_3_valence="0.5"), "column rater_3_valence: all 14 ratings are 0.5"),
        (cells(**{"rater_{0.x}_valence": "high", "rater_{0.x}_arousal": "0"}), "rater_{0.x}_valence is 'hig"),
        (cells(drop=["arousal"]), HEADER + "no column arousal. Every page needs both"),
        (cells(drop=["rater_1_arousal"]), HEADER + "no column rater_1_arousal. Every page"),
        (cells(**{"Valence mean": "0"}), HEADER + "Valence mean is no rater's column. Name them rater_<name"),
        (cells(rater_4="0"), HEADER + "rater_4 is no rater's column"),
        (edit(lambda t: t[["path", "split"]]), HEADER + "no label. Add valence"),
        (again("split", blank=" "), HEADER + "'split' is there twice. Rename"),
        (cells(12, path="images/../images/000000.png"), "row 12 ...000000.png is there already as ...row 2 "),
        (same_picture, "row 11 ...: it is the same picture as in ...row 6 "),
        (content(""), " is not a whole CSV file"),
        (content("path,split,expression\n"), " has a header and no rows"),
        (content("path,split,expression\na.png\n"), "row 2 ...: 1 cells, not 3. Q"),
        (content("path,split,expression\na,b.png,train,fear\n"), "row 2 ...: 4 cells, not 3. Q"),
        (content(b"path,split,expression\na.png\0b.png,train,fear\n"), "row 2 ...: a zero byte, which no"),
        (content(b"path,split\n\xc3\xa9.png,train\n\xe9.png,test\n"), "row 2 ...neither UTF-8 nor Windows"),
    ],
    ("manifest", "landmarks/000003.npy"): [
        (saved(np.linspace(400, 480, 136).reshape(68, 2)), "row 5 ...landmarks from [400.0, 400.6] to [479"),
        (saved(np.zeros((5, 2))), "000003.npy has shape (5, 2), or NaN. Save (68, 2)"),
    ],
    ("amigos-openface", "External_Annotations.xlsx"): [
        (cells(3, Arousal_Annotator_2=""), "row 3 ...Annotator_2 is '', not a number"),
        (cells(3, UserID="anna"), "row 3 ...UserID is 'anna', not a number"),
        (cells(3, VideoID="../x"), "row 3 ...VideoID is '../x', not a number or name"),
        (cells(3, Segment_Index="0"), "row 3 ...segment '0' was rated in an earlier row"),
        (cells(Valence_Annotator_1=[*"1359"]), "beyond 1 (3 rows like it). Scale"),
        (cells(Valence_Annotator_1=".25"), "all 4 ratings are 0.25. ...restore the"),
        (called(UserID="User"), HEADER + "no column UserID, only User"),
        (content("no workbook"), " is not a workbook"),
    ],
    ("amigos-openface", "action_units/P01_1.csv"): [
        (cells(9, AU12_r="7"), "row 9 ...AU12_r is '7', outside 0 to 5. Run OpenFace"),
        (cells(9, frame="3"), "row 9 ...frame '3' does not follow the row above (2 rows"),
        (cells(timestamp="0"), "row 3 ...timestamp '0' is not later ...rows like it). Run"),
        (rows(slice(1)), " has one frame"),
        (edit(slower), "P01_1.csv: 30 frames a second, not 25. Resample"),
        (copied("1_1.json"), "action_units/P01_1.csv is there already as action_units/1_1.json. Take one"),
    ],
    ("amigos-openface", "action_units"): [(emptied, "holds no action units for any recording ... P01_1.csv")],
    ("amigos-json", "action_units/P01_1.json"): [
        (keys(action_units=["AU01"] * 10), "key action_units: AU01 is not there once...Write"),
        (keys(action_units={"AU02": 1, "AU01": 0}), "key action_units: {'AU02'...Write"),
        (keys(frames=[[0.0] * 10, [0.0] * 9]), "frame 1 (the first is 0): [0.0, ...Write"),
        (keys(frames=[[0.0] * 10, [True] * 10]), "frame 1 (the first is 0): [True, ...Write"),
        (keys(frames=[["1.5"] * 10]), "frame 0 (the first is 0): ['1.5', ...Write"),
        (keys(fps=10**400), "key fps: ...too large...Write fps"),
    ],
    ("sewa", "annotations/Train_02_arousal.csv"): [(gone, "annotations/Train_02_arousal.csv is not there")],
    ("sewa", "audio/Train_02.wav"): [(gone, "audio/Train_02.wav is not there")],
    ("sewa", "annotations/Train_01_valence.csv"): [
        (called(rater_2=""), "annotations/Train_01_valence.csv, row 1 (the header): a column has no name. N"),
    ],
    ("sewa", "annotations/Devel_01_arousal.csv"): [
        (cells(6, rater_3="2"), "annotations/Devel_01_arousal.csv, row 6 ...rater_3 is '2', outside -1"),
        (cells(drop=["rater_3"]), HEADER + "not time and the raters ...Name the same"),
    ],
    ("sewa", "labels/Train_01.csv"): [
        (line(1, "name;time;valence;arousal;liking"), "row 1...: 'name;...are not the columns"),
        (swapped(";0.0\n", "\n"), "labels/Train_01.csv, row 1: 4 cells, not name, time, arousal"),
        (line(5, "Train_01;0.4;0.5;1.5;0"), "row 5: valence is '1.5', outside -1 to 1"),
        (line(6, "'Train_02';0.5;0;0;0"), "row 6: the name \"'Train_02'\" is another recording's"),
    ],
    ("sewa", "recordings.csv"): [
        (cells(3, recording="Train_01"), "recording 'Train_01' stands in an earlier row"),
        (cells(3, recording="Train_07"), "recordings.csv: no row for Train_02. Add it"),
        (cells(4, pair="one"), "pair 'one' is in two splits, Train_01 in train and Devel_01 in"),
    ],
    ("sewa", "labels/readme.csv"): [(content(""), "labels/readme.csv is not named as a recording's file")],
    ("recordings", "audio/a.wav"): [
        (content("no wave"), "audio/a.wav is not a whole .wav file"),
        (cut(1000), "audio/a.wav is not a whole .wav file"),
        (content(b"RIFF" + bytes(4) + b"WAVE"), "audio/a.wav is not a whole .wav file ...Save it again"),
        (sound(np.zeros(0, np.int16)), "audio/a.wav holds no sound"),
        (sound(np.full(40000, np.nan, np.float32)), "audio/a.wav has samples that are not from -1 to"),
        (sound(np.zeros(40000, np.int16)), "audio/a.wav is silent throughout. Save it again, or take its"),
        (sound(np.ones(20000, np.int16)), "audio/a.wav lasts 2.5 s and ratings/a.csv 5 s"),
    ],
    ("recordings", "recordings.csv"): [
        (cells(4, split="in turn"), "row 4 ...split is 'in turn', in the first row 'train'. Give 'in turn'"),
        (cells(scale="1-5"), "row 2 ...: scale is '1-5'. Write '1 to 9': first the end that"),
        (cells(3, scale="3 to 3"), "row 3 ...scale is '3 to 3'. Write"),
        (cells(3, recording=""), "row 3 ...recording is empty"),
        (cells(3, ratings="ratings/../ratings/a.csv"), "row 3 ...ratings 'ratings/../ratings/a.csv' is an e"),
        (cells(3, ratings="../b.csv"), "row 3 ...the file name '../b.csv' leaves the data folder"),
        (cells(3, ratings="b.csv"), "b.csv is not there ...row 3 ...Restore it"),
        (cells(drop=["audio", "landmarks"]), HEADER + "none of audio, audio_features"),
        (cells(video_features="b.csv"), HEADER + "landmarks and video_features. Give"),
        (cells(split="test"), "recordings.csv: no recording is of the split train. Add one"),
        (cells(subject="ana"), "subject 'ana' is in two splits, a in train and c in validation."),
    ],
    ("recordings", "ratings/b.csv"): [
        (cells(5, rater_1_valence="-1.01"), "ratings/b.csv, row 5 ...rater_1_valence is '-1.01', outside -1"),
        (cells(7, rater_1_valence="6"), "row 7 ...outside -1 to 1. ...or give the column scale in the li"),
        (cells(5, time="0.2"), "row 5 ...time '0.2' is not later than in the row above. Sort"),
        (cells(5, time="0.38"), "row 5 ...time '0.38' does not follow the row above by the usual"),
        (rows([*range(20), *range(20, 42, 3)]), "row 23 ...time '2.3' does not follow ...(7 rows like it)"),
        (every(1 / 600), "row 3 ...: time rises by 0.000167 a row"),
        (every(10), "lasts 4.2 s and ratings/b.csv 41.1 s, of one recording. ...give its times in seconds"),
        (cells(drop=["rater_1_arousal"]), "no column rater_1_arousal, only rater_1_valence"),
        (cells(**{"Eva.Arousal": "0"}), HEADER + "Eva.Arousal is no rater's column. Name them <name>_val"),
        (edit(lambda t: t[["time"]]), "ratings/b.csv, row 1 ...no rater. Name"),
        (cells(RATER_2_valence="0", RATER_2_arousal="0"), HEADER + "of rater_1, ...two differ in case alone"),
        (cells(rater_1_arousal="", rater_2_arousal="", rater_3_arousal=""), "rated by nobody in"),
        (cells(rater_1_valence="", rater_3_valence=""), "valence is rated by one rater at most"),
        (rows(slice(30)), "lasts 3 s and"),
    ],
    ("recordings", "landmarks/b.csv"): [
        (cells(x_50="1"), HEADER + "50 columns x_1, x_2, ..., not 49 or 68"),
        (cells(drop=["y_7"]), HEADER + "no column y_7"),
        (cells(drop=["time"]), HEADER + "no column timestamp"),
        (cells(y_7=""), "row 2 ...some landmarks are empty ...Give all of a frame, or none"),
        (cells(**POINTS), "landmarks/b.csv: no frame has landmarks"),
        (cells(4, **dict.fromkeys(POINTS, "0.5")), "row 4 ...landmarks span less than 4 pixels. Give pixels"),
        (both(cells(3, **POINTS), cells(7, **dict.fromkeys(EYES, "9"))), "row 7 ...both eyes have one centr"),
        (every(10), "row 3 ...: time rises by 1 a row...Give seconds, a row every 0.002 to 0.5"),
    ],
    ("recordings-features", "audio_features/b.csv"): [
        (cells(success="0"), "b.csv, row 2 ...: success is '0': no face was found, and the"),
        (cells(**{"mfcc[1]": "1"}), "not the 3 columns of audio_features/a.csv, in their"),
        (edit(lambda t: t[["time"]]), HEADER + "no column but time"),
        (cells(4, time="0.29"), "row 4 ...time '0.29' is not that of a row every 0.1 s"),
    ],
}


@pytest.mark.parametrize(
    ("layout", "file", "damage", "message"),
    [(*where, *case) for where, cases in CASES.items() for case in cases],
)
def test_a_file_that_cannot_be_is_refused_by_name_and_place(layout, file, damage, message, written, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(written / layout, folder)
    damage(folder / file)
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        LAYOUTS[layout].load(folder, tmp_path / "cache")
    said = str(caught.value)
    for part in message.split("...") if ", ...," not in message else [message]:
        assert part in said
        said = said[said.index(part) + len(part) :]
