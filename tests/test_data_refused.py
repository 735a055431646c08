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

X, Y = "x" * 300, "y/" * 3000 + "x.png"
POINTS = {f"{axis}_{k}": "" for axis in "xy" for k in range(1, 50)}
EYES = [f"{axis}_{k}" for axis in "xy" for k in range(20, 32)]
HEADLESS = b"RIFF" + bytes(4) + b"WAVE"
NUL = b"path,split,expression\na.png\0b.png,train,fear\n"


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


def elsewhere(whole):
    whole["frames"]["../../elsewhere"] = whole["frames"].pop("00001")


def blind(folder):
    for path in folder.glob("*/*.json"):
        keys(lambda whole: [entry.update(landmarks=[]) for entry in whole["frames"].values()])(path)


def frame(**values):
    """Change the annotations of frame 00001."""
    return keys(lambda whole: whole["frames"]["00001"].update(values))


# layout, file: damage, what is said ("..." stands for anything)

GREY = "fer2013.csv.gz, row 7 (the header is row 1): "
VOTES = "fer2013new.csv, row 7 (the header is row 1): "
TRAINING = "training.csv, row 4 (the header is row 1): "
VALENCE, PAIRS = "annotations/train/valence/ben.txt", "annotations/train/ben.txt"
BY_FRAME = "002/002.json, frame 00001: "
MORPHS = "Morphset.csv, row 4 (the header is row 1): "
LIST, ALIGNED = "EmoLabel/list_patition_label.txt", "Image/aligned/"
OF_LIST, OF_AFFECT = "list_patition_label.txt, line 3: ", "row 3 (the header is row 1): "
FEAR = "Train_Aligned_Faces/Fear"
RATED = "External_Annotations.xlsx, row 3 (the header is row 1): "
UNITS = "P01_1.csv, row 9 (the header is row 1): "
MANIFEST = "manifest.csv, row 5 (the header is row 1): "
RECORDINGS = "recordings.csv, row 3 (the header is row 1): "
RATINGS = "ratings/b.csv, row 5 (the header is row 1): "
FEATURES = "audio_features/b.csv, row 4 (the header is row 1): "
AROUSAL, LABELS = "annotations/Devel_01_arousal.csv", "labels/Train_01.csv"

EPISODES = "studyforrest-paper-emotionannotation/data/raw/av1o05.csv"
SEEN = "studyforrest-data-annotations/segments/avmovie/conf_visual_run-2_events.tsv"
HEARD = SEEN.replace("visual_run-2", "audio_run-1")
DIALOGUE = "studyforrest-data-annotations/old/speech/english_dialog.csv"


def later(path):
    """The run begins three pictures later than it should: its rows move up, its onsets stay."""
    first, *rest = path.read_text().splitlines()
    onset = first.split("\t").index("onset")
    moved = [row.split("\t") for row in rest[3:] + rest[-3:]]
    for k, cell in enumerate(moved):
        cell[onset] = f"{k / 25:.2f}"
    path.write_text("\n".join([first, *map("\t".join, moved)]))


CASES = {
    ("studyforrest", EPISODES): [
        (gone, "av1o05.csv is not there"),
        (
            cells(3, end="2"),
            EPISODES + ", row 3 (the header is row 1): the episode ends at '2', and starts at",
        ),
        (cells(4, start="-1"), "row 4 ...start is '-1', outside 0 to 130"),
        (cells(4, end="131"), "row 4 ...end is '131', outside 0 to 130. Restore"),
        (cells(5, start="7.5"), "row 5 ...start is '7.5', not a whole number"),
        (cells(6, arousal="MIDDLE"), "row 6 ...arousal is 'MIDDLE'. Use one of: an empty cell, LOW, HIGH"),
        (cells(6, valence="HIGH"), "row 6 ...valence is 'HIGH'. Use one of: an empty cell, NEG, POS"),
        (called(valence="pleasure"), "row 1 (the header): no column valence"),
    ],
    ("studyforrest", SEEN): [
        (gone, "conf_visual_run-2_events.tsv is not there"),
        (later, SEEN + ", row 52 ...to 302: brmean differs ...run-1_events.tsv...does not begin 40 s after"),
        (line(2, ""), "row 2"),
        (swapped("\t0.04\t80\n", "\t0.04\n"), "row 2 (the first is row 1): 6 cells, not 7"),
    ],
    ("studyforrest", HEARD): [
        (tabbed(rms="0"), HEARD + ", column rms: it never changes. Restore"),
        (gone, "conf_audio_run-1_events.tsv is not there"),
        (
            lines(1101),
            HEARD + ": its last row, onset 43.96, ends 2.00 s too early for the run after it. Restore",
        ),
        (
            swapped("\t0.20\t0.04\t80", "\t0.23\t0.04\t80"),
            "row 7 ...onset '0.23' is not that of a row every 0.04 s",
        ),
    ],
    ("studyforrest", DIALOGUE): [
        (cells(2, end="1.0"), "row 2 (the header is row 1): it ends at '1.0', and starts at '3.0'"),
    ],
    ("ferplus", "fer2013new.csv"): [
        (cells(7, happiness="-1"), VOTES + "happiness is '-1', outside 0 to 10. Fetch"),
        (cells(7, happiness="1.5"), VOTES + "happiness is '1.5', not a whole number"),
        (cells(7, happiness="nan"), VOTES + "happiness is 'nan', not a number. Fetch"),
        (cells(7, NF="10"), VOTES + "the votes do not add up to ten"),
        (cells(7, Usage="Test"), VOTES + "Usage is 'Test'. Use one of: Training, Public"),
        (rows(slice(-1)), "rows belong together by their order. Fetch both files again"),
        (called(contempt="scorn"), "row 1 (the header): no column contempt, only Usage"),
        (again("neutral"), "fer2013new.csv, row 1 (the header): 'neutral' is there twice"),
        (gone, "fer2013new.csv is not there. data/README.md says"),
        (
            cells(9, **{"Image name": "fer0000002.png"}),
            "row 9 ...Image name 'fer0000002.png' has no higher number than those above, as if the rows were sorted",
        ),
    ],
    ("ferplus", "fer2013.csv.gz"): [
        (cells(7, emotion="7"), GREY + "emotion is '7', outside 0 to 6. Fetch"),
        (cells(7, Usage="Training"), GREY + "Usage is 'Training', another than in the same"),
        (cells(7, pixels="1 2 3"), GREY + "3 pixels, not 48 x 48 = 2304. Fetch"),
        (cells(7, pixels="1 2 256"), GREY + "pixels must be whole numbers from 0 to 255"),
        (cells(7, pixels="[" * 5000), GREY + "pixels must be whole numbers from 0 to 255"),
        (rows(slice(-1)), "rows belong together by their order. Fetch both files again"),
        (
            copied("fer2013.csv"),
            "holds fer2013.csv and fer2013.csv.gz, and one is read. Take the other one out",
        ),
        (cut(-500), "fer2013.csv.gz is not a ...CSV file...Fetch it again"),
    ],
    ("affectnet-csv", "training.csv"): [
        (cells(4, expression="11"), TRAINING + "expression is '11', outside 0 to 10"),
        (cells(4, expression="1.5"), TRAINING + "expression is '1.5', not a whole number"),
        (cells(4, valence="1.2"), TRAINING + "valence is '1.2', outside -2 to 1"),
        (cells(4, arousal="-1.5"), TRAINING + "arousal is '-1.5', outside -1 to 1 and not -2"),
        (cells(4, face_x="NULL"), TRAINING + "face_x is 'NULL', not a number"),
        (cells(4, face_width="0"), TRAINING + "face_width is '0', outside 1 to"),
        (cells(4, face_x="500"), TRAINING + "the corners of the face box from [500.0, 0.0] to [548.0, 48.0]"),
        (cells(4, face_x="0.1", face_width="1", face_height="1"), "mark no face in a picture of 48 x 48"),
        (
            cells(4, facial_landmarks=";".join(["0.5"] * 136)),
            TRAINING + "landmarks from [0.5, 0.5] to [0.5, 0.5] mark",
        ),
        (cells(4, facial_landmarks="1;2;3"), TRAINING + "facial_landmarks is not 68 points"),
        (cells(4, facial_landmarks="nan;" * 135 + "nan"), TRAINING + "facial_landmarks is not"),
        (cells(4, facial_landmarks="1_0;" * 135 + "1"), TRAINING + "facial_landmarks is not"),
        (cells(4, subDirectory_filePath="../x.png"), "'../x.png' leaves the data folder"),
        (cells(4, subDirectory_filePath=X), TRAINING + "no file can have the name 'xxx"),
        (cells(4, subDirectory_filePath="1/no.png"), TRAINING + "there is no picture no.png"),
    ],
    ("affectnet-csv", "validation.csv"): [
        (cells(3, subDirectory_filePath="1/no.png"), "validation.csv, row 3 "),
        (called(face_width="width"), "row 1 (the header): no column face_width, only"),
        (again("valence"), "validation.csv, row 1 (the header): 'valence' is there twice."),
        (gone, "validation.csv is not there"),
    ],
    ("affectnet-csv", "Manually_Annotated_Images"): [
        (
            beside("Manually_Annotated/Manually_Annotated_Images"),
            "holds Manually_Annotated_Images and Manually_Ann",
        ),
    ],
    ("affectnet-csv", ""): [
        (
            lambda folder: (folder / "train_set").mkdir(),
            "holds training.csv and train_set, and one is read. Take",
        ),
        (emptied, "holds neither training.csv nor train_set/"),
    ],
    ("affectnet-folders", "train_set/images/000002.jpg"): [
        (copied("000002.PNG"), "train_set/images/000002.jpg is there already as train_set/images/000002.PNG"),
    ],
    ("affectnet-folders", "train_set/annotations/000003_exp.npy"): [
        (saved(np.array(True)), "000003_exp.npy does not hold one category"),
        (saved(np.array("12")), "train_set/annotations/000003_exp.npy does not hold one category, 0 to 10"),
    ],
    ("affectnet-folders", "train_set/annotations/000003_val.npy"): [
        (saved(np.array("1.5")), "000003_val.npy does not hold one number from -1 to 1, or -2"),
    ],
    ("affectnet-folders", "train_set/annotations/000003_aro.npy"): [
        (saved(np.array("calm")), "000003_aro.npy does not hold one number"),
        (saved(np.array("nan")), "000003_aro.npy does not hold one number"),
        (saved(np.array({}, dtype=object)), "000003_aro.npy does not hold one number"),
    ],
    ("affectnet-folders", "train_set/annotations/000003_lnd.npy"): [
        (
            saved(np.linspace(3, 40, 136).reshape(2, 68)),
            "000003_lnd.npy does not hold 68 points, x and y in turn",
        ),
        (saved(np.zeros(100)), "000003_lnd.npy does not hold 68 points"),
        (gone, "train_set/annotations/000003_lnd.npy is not there"),
    ],
    ("affectnet-folders", "val_set/images/000001.jpg"): [
        (cut(99), "val_set/images: the picture 000001.jpg cannot be read"),
    ],
    ("affwild", VALENCE): [
        (line(2, "1.5"), f"{VALENCE}, line 2: '1.5' is not one number from -1 to 1. Restore the line"),
        (line(2, "-5"), f"{VALENCE}, line 2: '-5' is not one number"),
        (line(2, "0_1"), f"{VALENCE}, line 2: '0_1' is not one number"),
        (line(2, ""), f"{VALENCE}, line 2: '' is not one number"),
        (line(2, "\udcff\udcfe"), f"{VALENCE}, line 2: "),
        (line(4, "0.5"), f"{VALENCE} has 4 lines, ...arousal/ben.txt has 3. Restore both"),
        (gone, f"{VALENCE} is not there. Restore it, or take its count"),
    ],
    ("affwild", "annotations/train"): [
        (
            beside("annotations/VA_Set/Train_Set"),
            "holds annotations/train and annotations/VA_Set/Train_Set, and one",
        ),
        (
            lambda folder: (folder / "eve.txt").write_text("valence,arousal\n0,0\n"),
            "annotations/train holds annotations of both releases, eve.txt and valence/ or",
        ),
    ],
    ("affwild", "annotations/train/arousal/joe.txt"): [(gone, "arousal/joe.txt is not there")],
    ("affwild", "frames/ben/00003.png"): [
        (copied("00004.png"), "frames/ben/00004.png has no line: ...frames 1 to 3"),
        (named("face_3.png"), "ben/face_3.png is not named by a frame number. Rename"),
        (copied("3.png"), "frames/ben/3.png is there already as frames/ben/00003.png. Take one"),
        (cut(200), "frames/ben: the picture 00003.png cannot be read ...Replace it"),
    ],
    ("affwild", "frames/ben"): [
        (emptied, "frames/ben holds no picture. Cut its faces out of the video"),
        (shutil.rmtree, "frames/ben holds no picture"),
    ],
    ("affwild", ""): [(emptied, "annotations/train holds no annotation. data/README.md says where")],
    ("affwild2", PAIRS): [
        (line(1, "arousal,valence"), f"{PAIRS}, line 1: it is not the header valence,arousal. Restore"),
        (line(3, "0.1,-4"), f"{PAIRS}, line 3: '0.1,-4' is not valence,arousal from -1 to 1, or -5 for"),
        (line(3, "0.1"), f"{PAIRS}, line 3: '0.1' is not valence,arousal"),
        (content("valence,arousal\n"), f"{PAIRS} holds no value. Restore the file"),
    ],
    ("afewva", "002/002.json"): [
        (frame(valence=11), BY_FRAME + "valence is 11, not a number from -10 to 10. Restore"),
        (frame(valence="3"), BY_FRAME + "valence is 3, not a number"),
        (frame(arousal=float("nan")), BY_FRAME + "arousal is nan, not a number"),
        (frame(arousal=None), BY_FRAME + "arousal is None, not a number"),
        (frame(landmarks=[[1, 2]] * 67), BY_FRAME + "the landmarks are not 68 pairs of finite"),
        (frame(landmarks=[[1, 2]] * 67 + [[1]]), BY_FRAME + "the landmarks are not 68 pairs of finite"),
        (frame(landmarks=[[1, 2]] * 67 + [[1, float("inf")]]), BY_FRAME + "the landmarks are not 68 pairs"),
        (frame(landmarks=[[1, 2]] * 67 + [[1, 10**400]]), BY_FRAME + "the landmarks are not 68 pairs"),
        (frame(landmarks={"left": 3}), BY_FRAME + "the landmarks are not 68 pairs of finite"),
        (
            frame(landmarks=[[1, 2]] * 68),
            BY_FRAME + "the corners of the face box from [0.0, 2.0] to [1.0, 3.0] mark no face",
        ),
        (frame(landmarks=[[900, 900], [910, 912]] * 34), "mark no face in a picture of 48 x 48 pixels"),
        (
            frame(landmarks=[[0.4, 0.3], [0.7, 0.8]] * 34),
            BY_FRAME + "the corners of the face box from [0.0, 0.0] to [1.0, 1.0] mark no face in a picture",
        ),
        (
            frame(arousal=0.5),
            BY_FRAME + "arousal is 0.5, not a whole number; those from -10 to 10 are divided by 10",
        ),
        (
            keys(lambda whole: whole["frames"].update({"01": whole["frames"]["00001"]})),
            "frame 01 is there already as 002/002.json, frame 00001. Take one",
        ),
        (keys(elsewhere), "frame ../../elsewhere: it is not named by a number"),
        (keys(lambda whole: whole["frames"]["00001"].pop("arousal")), BY_FRAME + "it lacks val"),
        (keys(lambda whole: whole["frames"].update({"00001": [1]})), BY_FRAME + "it lacks val"),
        (content('{"actor": "Ana", "frames": {'), "002/002.json is no JSON: ...Restore it from"),
        (content("[" * 100000), "002/002.json is no JSON: ...Restore it from the release."),
        (content("[]"), '002/002.json has no "actor", or no "frames". Restore it'),
        (content('{"actor": "", "frames": {}}'), '002/002.json has no "actor", or no "frames".'),
        (keys(actor=["x"]), "002/002.json, key \"actor\": ['x'] is no name. Restore the file"),
        (content('{"actor": 1, "actor": 2}'), "no JSON: the key 'actor' is there twice. Restore"),
        (gone, "002/002.json is not there. Restore it, or take the folder 002"),
    ],
    ("afewva", "002/00001.png"): [
        (cut(200), BY_FRAME + "the picture 00001.png cannot be read ...Repl"),
        (gone, BY_FRAME + "there is no picture 002/00001.png. Restore it, or take the frame"),
    ],
    ("afewva", ""): [
        (blind, "no frame is left, of ...'frame without face': 14...Add annotated frames"),
        (emptied, "holds no clip, a folder such as 001. data/README.md says"),
    ],
    ("morphset", "Morphset.csv"): [
        (cells(4, Valence="1.5"), MORPHS + "Valence is '1.5', outside -1 to 1. Restore the"),
        (cells(4, Subject=""), MORPHS + "Subject is '', not a number"),
        (cells(4, Subject="1.5"), MORPHS + "Subject is '1.5', not a whole number"),
        (cells(4, **{"Emotion Label": "CO"}), "is 'CO'. Use one of: NE, HA, SA, SU, AF, FE, DI"),
        (cells(4, Filename="000000.png"), "'000000.png' has an earlier row. Take one of them"),
        (cells(4, Filename="../x.png"), "the file name '../x.png' leaves the data folder"),
        (cells(4, Filename=""), MORPHS + "the file name '' leaves the data folder, or names"),
        (cells(4, Filename="999.png"), "there is no picture 999.png. Restore it, or take its"),
        (cells(**{"Emotion Label": "HA"}), "no row of neutral, sad, surprise, fear, disgust, anger. Fetch"),
        (cells(Subject="1"), "train and test need two videos or subjects; there is 1 only"),
        (called(Subject="Who"), "no column Subject, only Filename, Who, Emotion Label"),
        (gone, "Morphset.csv is not there. data/README.md says"),
    ],
    ("morphset", "images/000003.png"): [(cut(100), "csv, row 5 ...: the picture 000003.png cannot be read")],
    ("rafdb", LIST): [
        (line(3, "train_00003.jpg 0"), OF_LIST + "'train_00003.jpg 0' is not a name such as train_00001"),
        (line(3, "train_00003.jpg 8"), "a label from 1 to 7. Restore the line from the release"),
        (line(3, "val_00003.jpg 5"), OF_LIST + "'val_00003.jpg 5' is not a name such as"),
        (line(3, "../train_00003.jpg 5"), OF_LIST + "'../train_00003.jpg 5' is not a name such as"),
        (line(3, ""), OF_LIST + "'' is not a name such as"),
        (line(3, "\udcff\udcfe"), OF_LIST),
        (
            line(3, "train_00001.jpg 5"),
            OF_LIST + "train_00001 is there already as list_patition_label.txt, line 1",
        ),
        (content(""), "list_patition_label.txt is empty. Fetch it again."),
        (gone, "list_patition_label.txt is not there. data/README.md says"),
    ],
    ("rafdb", "valence_arousal.csv"): [
        (line(3, "train_00002.jpg,1.5,0"), OF_AFFECT + "valence is '1.5', outside -1"),
        (line(3, "train_00002.jpg,0,"), OF_AFFECT + "arousal is '', not a number"),
        (line(3, "x.jpg,0,0"), OF_AFFECT + "name is 'x.jpg', no pic"),
        (line(3, "train_00001.jpg,0,0"), OF_AFFECT + "'train_00001.jpg' has an earlier"),
        (rows([0, *range(2, 14)]), "1 training pictures have no row, train_00002.jpg fi"),
    ],
    ("rafdb", ALIGNED + "test_0002_aligned.jpg"): [
        (cut(99), "line 9: the picture test_0002_aligned.jpg cannot be read"),
    ],
    ("rafdb", ALIGNED + "train_00003_aligned.jpg"): [
        (gone, OF_LIST + "there is no picture train_00003_aligned.jpg."),
    ],
    ("rafdb", "EmoLabel"): [
        (beside("basic/EmoLabel"), "holds basic/EmoLabel/list_patition_label.txt and EmoLabel")
    ],
    ("rafdb", ALIGNED): [(shutil.rmtree, "aligned is not there. Unpack aligned.zip")],
    ("sfew", "valence_arousal.csv"): [
        (line(3, "x.png,0,0"), OF_AFFECT + "name is 'x.png', no picture"),
        (rows(slice(1, None)), "1 training pictures have no row, Train/"),
    ],
    ("sfew", FEAR): [
        (named("Contempt"), "Train_Aligned_Faces/Contempt is no class of SFEW: these are Angry, Disgust"),
        (emptied, f"{FEAR} holds no picture. Unpack the release there again."),
        (shutil.rmtree, f"{FEAR} holds no picture"),
    ],
    ("sfew", "Val_Aligned_Faces_new"): [
        (shutil.rmtree, "has none of Val/Val_Aligned_Faces_new, ...with folders Angry"),
    ],
    ("sfew", f"{FEAR}/Film002_000000004_00000001.png"): [
        (cut(200), f"{FEAR}: the picture Film002_000000004_00000001"),
    ],
    ("manifest", "manifest.csv"): [
        (cells(5, path="../outside.png"), MANIFEST + "...'../outside.png' leaves the data fol"),
        (cells(5, path=""), MANIFEST + "path is empty"),
        (cells(5, path=X), MANIFEST + "no file can have the name 'xxx"),
        (cells(5, path=Y), MANIFEST + "no file can have the name 'y/y"),
        (cells(5, path="images/gone.png"), MANIFEST + "there is no picture gone.png"),
        (cells(5, path="manifest.csv"), MANIFEST + "the picture manifest.csv cannot be read"),
        (cells(5, split="dev"), MANIFEST + "split is 'dev'. Use one of: train, validation, test"),
        (cells(5, expression="joy"), MANIFEST + "expression is 'joy'. Use one of: neutral, hap"),
        (cells(5, subject="n/a"), MANIFEST + "subject is empty ('n/a'). Name it"),
        (cells(3, subject=" JOE"), "subject 'JOE' is in two splits, images/000001.png in train and images/"),
        (
            cells(rater_2_valence="NaN", rater_2_arousal=""),
            "column rater_2_valence: no row has a rating. Take",
        ),
        (cells(5, valence="1.01"), MANIFEST + "valence is '1.01', outside -1 to 1"),
        (cells(5, valence="calm"), MANIFEST + "valence is 'calm', not a number"),
        (cells(5, arousal="NaN"), MANIFEST + "valence without arousal, or the other way"),
        (cells(5, arousal=""), MANIFEST + "valence without arousal, or the other way"),
        (cells(5, rater_2_arousal=""), MANIFEST + "rater_2_valence without rater_2_arousal"),
        (cells(5, landmarks="../x.npy"), MANIFEST + "...'../x.npy' leaves the data folder"),
        (cells(5, landmarks="landmarks/gone.npy"), MANIFEST + "there is no gone.npy"),
        (cells(5, landmarks="images/000000.png"), "000000.png is not a .npy of numbers"),
        (cells(rater_3_valence="0.5"), "column rater_3_valence: all 14 ratings are 0.5"),
        (
            cells(**{"rater_{0.x}_valence": "high", "rater_{0.x}_arousal": "0"}),
            "rater_{0.x}_valence is 'high', not",
        ),
        (
            cells(**{"rater_dr. no_valence": "0"}),
            "row 1 (the header): no column rater_dr. no_arousal. Every page needs both",
        ),
        (
            cells(drop=["arousal"]),
            "row 1 (the header): no column arousal. Every page needs both",
        ),
        (cells(ben_arousal="0"), "ben_arousal is no rater's column. Name them rater_<name>_valence"),
        (cells(**{"Valence mean": "0"}), "Valence mean is no rater's column"),
        (cells(12, path="images/../images/000000.png"), "row 12 ...000000.png is there already as ...row 2 "),
        (
            lambda path: shutil.copy(path.parent / "images/000004.png", path.parent / "images/000009.png"),
            "row 11 ...: it is the same picture as in ...row 6 ",
        ),
        (cells(3, subject="joe"), "subject 'joe' is in two splits, images/000001.png in train and images/"),
        (cells(rater_4="0"), "rater_4 is no rater's column. Name them rater_<name>_valence"),
        (cells(drop=["rater_1_arousal"]), "no column rater_1_arousal. Every page"),
        (edit(lambda t: t[["path", "split"]]), "row 1 (the header): no label. Add valence"),
        (again("split", blank=" "), "'split' is there twice. Take one out, or"),
        (content(""), "manifest.csv is not a whole CSV file"),
        (
            content(b"path,split,expression\n\xc3.png,train,f\x9dar\n"),
            "manifest.csv, row 2 ...that is neither UTF-8 nor",
        ),
        (
            content(b"path,split\n\xc3\xa9.png,train\n\xe9.png,test\n"),
            "manifest.csv, row 2 ...neither UTF-8 nor Windows",
        ),
        (
            content("path,split,expression\n".encode("utf-16-be")),
            "manifest.csv is UTF-16 without its byte-order mark",
        ),
        (
            content(b"PK\3\4" + bytes(50)),
            "manifest.csv is an archive or a workbook (zip), not text. Unpack it",
        ),
        (content("\npath,split,expression\na.png,train,fear\n"), "CSV file: No columns"),
        (content("path,split,expression\n"), "manifest.csv has a header and no rows"),
        (content("path,split,expression\na.png\n"), "manifest.csv, row 2 ...: 1 cells, not 3. Q"),
        (content("path,split,expression\na,b.png,train,fear\n"), "row 2 ...: 4 cells, not 3. Q"),
        (content(NUL), "manifest.csv, row 2 ...: a zero byte, which no"),
    ],
    ("manifest", "landmarks/000003.npy"): [
        (
            saved(np.linspace(0.2, 0.8, 136).reshape(68, 2)),
            MANIFEST + "landmarks from [0.2, 0.2] to [0.8, 0.8] mark no face in a",
        ),
        (
            saved(np.linspace(400, 480, 136).reshape(68, 2)),
            MANIFEST + "landmarks from [400.0, 400.6] to [479.4, 480.0] mark no",
        ),
        (saved(np.zeros((5, 2))), "000003.npy has shape (5, 2), or NaN. Save (68, 2)"),
    ],
    ("amigos-openface", "External_Annotations.xlsx"): [
        (cells(3, Valence_Annotator_1="calm"), "Annotator_1 is 'calm', not a number"),
        (cells(3, Arousal_Annotator_2=""), "Annotator_2 is '', not a number"),
        (cells(3, Segment_Index="-1"), RATED + "Segment_Index is '-1', outside 0"),
        (cells(3, UserID="anna"), RATED + "UserID is 'anna', not a number"),
        (cells(3, VideoID="../x"), RATED + "VideoID is '../x', not a number or name"),
        (cells(3, Segment_Index="0"), "segment '0' was rated in an earlier row"),
        (cells(Valence_Annotator_1=[*"1359"]), "many more lie beyond 1. Scale"),
        (cells(Valence_Annotator_1=".25"), "all 4 ratings are 0.25. ...restore the"),
        (called(UserID="User"), "row 1 (the header): no column UserID, only User"),
        (again("UserID", " "), "row 1 (the header): 'UserID' is there twice. Take"),
        (content("no workbook"), "External_Annotations.xlsx is not a workbook"),
    ],
    ("amigos-openface", "action_units/P01_1.csv"): [
        (cells(9, AU12_r="7"), UNITS + "AU12_r is '7', outside 0 to 5. Run OpenFace"),
        (cells(9, AU12_r=""), UNITS + "AU12_r is '', not a number. Run OpenFace"),
        (cells(9, frame="3"), UNITS + "frame '3' does not follow the row above (2 rows"),
        (cells(9, timestamp="0.2"), UNITS + "timestamp '0.2' is not later than in the row above"),
        (cells(timestamp="0"), "P01_1.csv, row 3 ...timestamp '0' is not later ...rows like it). Run"),
        (rows(slice(1)), "P01_1.csv has one frame"),
        (edit(slower), "P01_1.csv: 30 frames a second, not 25. Resample"),
    ],
    ("amigos-openface", "action_units/1_1.json"): [
        (content("{}"), "action_units/P01_1.csv is there already as action_units/1_1.json. Take one"),
    ],
    ("amigos-json", "action_units/P02_1.json"): [
        (
            keys(lambda whole: whole["frames"][7].__setitem__(2, True)),
            "P02_1.json, frame 7 (the first is 0): ...True",
        ),
    ],
    ("amigos-openface", "action_units"): [(emptied, "holds no action units for any recording ... P01_1.csv")],
    ("amigos-json", "action_units/P01_1.json"): [
        (keys(action_units=["AU01"]), "P01_1.json, key action_units: no AU02...Write"),
        (keys(frames=[[0.0] * 10, [0.0] * 9]), "frame 1 (the first is 0): ...Write fps"),
        (keys(frames=[[0.0] * 10, [np.nan] * 10]), "frame 1 (the first is 0): [nan"),
        (keys(fps="fast"), "P01_1.json, key fps: ...fast...Write fps"),
        (keys(fps=10**400), "P01_1.json, key fps: ...too large...Write fps"),
    ],
    ("sewa", "annotations/Train_02_arousal.csv"): [(gone, "annotations/Train_02_arousal.csv is not there")],
    ("sewa", "audio/Train_02.wav"): [(gone, "audio/Train_02.wav is not there")],
    ("sewa", "landmarks/Train_02.csv"): [(gone, "landmarks/Train_02.csv is not there")],
    ("sewa", "annotations/Train_01_valence.csv"): [
        (
            called(rater_2=""),
            "annotations/Train_01_valence.csv, row 1 (the header): a column has no name. Name",
        ),
    ],
    ("sewa", AROUSAL): [
        (cells(6, rater_3="calm"), f"{AROUSAL}, row 6 (the header is row 1): rater_3 is 'calm', not"),
        (cells(6, rater_3="2"), f"{AROUSAL}, row 6 (the header is row 1): rater_3 is '2', outside -1"),
        (cells(drop=["time"]), f"{AROUSAL}, row 1 (the header): not time and the raters of annotations"),
        (cells(drop=["rater_3"]), "row 1 (the header): not time and the raters ...Name the same"),
    ],
    ("sewa", "landmarks/Devel_01.csv"): [
        (every(250), "landmarks/Devel_01.csv, row 3 ...time rises by 25 a row")
    ],
    ("sewa", LABELS): [
        (line(1, "name;time;valence;arousal;liking"), f"{LABELS}, row 1: 'name;...are not the columns"),
        (swapped(";0.0\n", "\n"), f"{LABELS}, row 1: 'Train_01;...are not the columns"),
        (line(5, "Train_01;0.4;0.5;1.5;0"), f"{LABELS}, row 5: valence is '1.5', outside -1 to 1"),
        (lines(34), "lasts 3.4 s and"),
        (line(6, "'Train_02';0.5;0;0;0"), f"{LABELS}, row 6: the name \"'Train_02'\" is another recording's"),
    ],
    ("sewa", "recordings.csv"): [
        (cells(3, recording="Train_01"), "recording 'Train_01' stands in an earlier row"),
        (cells(3, recording="Train_07"), "recordings.csv: no row for Train_02. Add it"),
        (cells(drop=["pair"]), "row 1 (the header): no column pair, only recording, subject"),
        (cells(4, subject="P2"), "subject 'p2' is in two splits, Train_02 in train and Devel_01"),
        (cells(4, pair="one"), "pair 'one' is in two splits, Train_01 in train and Devel_01 in"),
    ],
    ("sewa", "labels/readme.csv"): [(content(""), "labels/readme.csv is not named as a recording's file")],
    ("sewa", "audio/Train_1_valence.wav"): [
        (content(""), "audio/Train_1_valence.wav is not named as a recording's"),
    ],
    ("recordings", "audio/a.wav"): [
        (content("no wave"), "audio/a.wav is not a whole .wav file"),
        (cut(1000), "audio/a.wav is not a whole .wav file"),
        (cut(30), "audio/a.wav is not a whole .wav file: ...Save it again"),
        (content(HEADLESS), "audio/a.wav is not a whole .wav file: its header is not finished"),
        (sound(np.zeros(0, np.int16)), "audio/a.wav holds no sound"),
        (sound(np.full(40000, 1.5, np.float32)), "audio/a.wav has samples that are not from -1 to"),
        (sound(np.full(40000, np.nan, np.float32)), "audio/a.wav has samples that are not from"),
        (sound(np.zeros(40000, np.int16)), "audio/a.wav is silent throughout. Save it again, or take its"),
        (sound(np.ones(20000, np.int16)), "audio/a.wav lasts 2.5 s and ratings/a.csv 5 s"),
        (gone, "audio/a.wav is not there"),
    ],
    ("recordings", "recordings.csv"): [
        (
            cells(4, split="in turn"),
            "row 4 ...split is 'in turn', in the first row 'train'. Give 'in turn' to all rec",
        ),
        (cells(scale="1-5"), "recordings.csv, row 2 ...: scale is '1-5'. Write '1 to 9': first the end that"),
        (cells(3, scale="3 to 3"), RECORDINGS + "scale is '3 to 3'. Write"),
        (cells(3, split="devel"), RECORDINGS + "split is 'devel'. Use one of: train, validation"),
        (cells(3, recording=""), RECORDINGS + "recording is empty"),
        (cells(3, recording="a"), RECORDINGS + "recording 'a' stands in an earlier row"),
        (cells(3, ratings=""), RECORDINGS + "ratings is empty"),
        (
            cells(3, ratings="ratings/../ratings/a.csv"),
            RECORDINGS + "ratings 'ratings/../ratings/a.csv' is an earl",
        ),
        (
            cells(5, landmarks="landmarks/b.csv"),
            "row 5 ...: landmarks 'landmarks/b.csv' is an earlier row's too",
        ),
        (cells(3, ratings="../b.csv"), "the file name '../b.csv' leaves the data folder"),
        (cells(3, audio=X), RECORDINGS + "no file can have the name 'xxx"),
        (cells(drop=["split"]), "row 1 (the header): no column split, only recording"),
        (cells(drop=["audio", "landmarks"]), "row 1 (the header): none of audio, audio_features"),
        (cells(video_features="b.csv"), "row 1 (the header): landmarks and video_features. Give"),
        (cells(split="test"), "recordings.csv: no recording is of the split train. Add one"),
        (cells(subject="ana"), "subject 'ana' is in two splits, a in train and c in validation."),
        (gone, "recordings.csv is not there"),
    ],
    ("recordings", "ratings/b.csv"): [
        (cells(5, rater_2_arousal="calm"), RATINGS + "rater_2_arousal is 'calm', not a number."),
        (cells(5, rater_1_valence="-1.01"), RATINGS + "rater_1_valence is '-1.01', outside -1 to"),
        (cells(5, time=""), RATINGS + "time is '', not a number"),
        (cells(5, time="0.2"), RATINGS + "time '0.2' is not later than in the row above. Sort"),
        (cells(5, time="0.38"), RATINGS + "time '0.38' does not follow the row above by the usual"),
        (cells(drop=["rater_1_arousal"]), "no column rater_1_arousal, only rater_1_valence"),
        (
            cells(**{"Eva.Arousal": "0"}),
            "row 1 (the header): Eva.Arousal is no rater's column. Name them <name>_val",
        ),
        (cells(valence="0"), "ratings/b.csv, row 1 (the header): valence is no rater's column"),
        (every(1 / 600), "ratings/b.csv, row 3 ...: time rises by 0.000167 a row"),
        (every(10), "lasts 4.2 s and ratings/b.csv 41.1 s, of one recording. ...give its times in seconds"),
        (
            rows([*range(20), *range(20, 42, 3)]),
            "row 23 ...time '2.3' does not follow ...(7 rows like it). Resa",
        ),
        (
            cells(7, rater_1_valence="6"),
            "b.csv, row 7 ...outside -1 to 1. ...or give the column scale in the li",
        ),
        (edit(lambda t: t[["time"]]), "ratings/b.csv, row 1 ...no rater. Name"),
        (
            cells(RATER_2_valence="0", RATER_2_arousal="0"),
            "ratings/b.csv, row 1 (the header): of rater_1, ...two differ in case alone. Rename one",
        ),
        (cells(rater_1_arousal="", rater_2_arousal="", rater_3_arousal=""), "rated by nobody in"),
        (cells(rater_1_valence="", rater_3_valence=""), "valence is rated by one rater at most"),
        (content("time;r_valence\n0;1;1\n"), "ratings/b.csv, row 2 ...: 3 cells, not 2. Quote"),
        (rows(slice(30)), "lasts 3 s and"),
        (gone, "ratings/b.csv is not there ...Restore it as data/README.md says"),
    ],
    ("recordings", "landmarks/b.csv"): [
        (cells(x_50="1"), "row 1 (the header): 50 columns x_1, x_2, ..., not 49 or 68"),
        (cells(drop=["y_7"]), "landmarks/b.csv, row 1 (the header): no column y_7"),
        (cells(drop=["time"]), "landmarks/b.csv, row 1 (the header): no column timestamp"),
        (cells(y_7=""), "row 2 ...some landmarks are empty ...Give all of a frame, or none"),
        (cells(**POINTS), "landmarks/b.csv: no frame has landmarks"),
        (cells(**dict.fromkeys(EYES, "9")), "landmarks/b.csv, row 2 ...both eyes have one centre"),
        (cells(4, **dict.fromkeys(POINTS, "0.5")), "row 4 ...landmarks span less than 4 pixels. Give pixels"),
        (cells(success="yes"), "row 2 ...success is 'yes', not a number"),
        (every(1000), "landmarks/b.csv, row 3 ...: time rises by 100 a row, as milliseconds or num"),
        (
            both(cells(3, **POINTS), cells(7, **dict.fromkeys(EYES, "9"))),
            "landmarks/b.csv, row 7 ...one centre. Cor",
        ),
        (
            every(10),
            "landmarks/b.csv, row 3 ...: time rises by 1 a row...Give seconds, a row every 0.002 to 0.5",
        ),
    ],
    ("recordings-features", "audio_features/b.csv"): [
        (cells(success="0"), "b.csv, row 2 ...: success is '0': no face was found, and the"),
        (cells(**{"mfcc[1]": "1"}), "not the 3 columns of audio_features/a.csv, in their"),
        (edit(lambda t: t[["time"]]), "audio_features/b.csv, row 1 ...no column but time"),
        (cells(4, feature_1="loud"), FEATURES + "feature_1 is 'loud', not a number"),
        (cells(4, time="0.29"), FEATURES + "time '0.29' is not that of a row every 0.1 s"),
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
