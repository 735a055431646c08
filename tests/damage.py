"""What may be done to a file of a data set, or to a folder: each gives a function of its path."""

import json
import shutil

import numpy as np
import pandas as pd
from scipy.io import wavfile
from wellformed import RATE


def edit(change):
    """Of a table, CSV or workbook."""

    def do(path):
        options = {"dtype": str, "keep_default_na": False}
        if path.suffix == ".xlsx":
            change(pd.read_excel(path, **options)).to_excel(path, index=False)
            return
        separated = path.suffix == ".csv" and "," not in path.read_text().partition("\n")[0]
        separator = ";" if separated else ","
        change(pd.read_csv(path, sep=separator, **options)).to_csv(path, index=False, sep=separator)

    return do


def cells(row=None, drop=(), **values):
    """Change cells of a row, counted as in the file, the header being row 1; or whole columns."""

    def change(table):
        table = table.drop(columns=list(drop))
        for column, value in values.items():
            table.loc[slice(None) if row is None else row - 2, column] = value
        return table

    return edit(change)


def called(**names):
    return edit(lambda table: table.rename(columns=names))


def again(column, blank=""):
    """The column once more, as the last one."""

    def change(table):
        table.insert(table.shape[1], blank + column, table[column], allow_duplicates=True)
        return table

    return edit(change)


def rows(keep):
    return edit(lambda table: table.iloc[keep])


def content(what):
    return lambda path: path.write_bytes(what if isinstance(what, bytes) else what.encode())


def cut(size):
    return lambda path: path.write_bytes(path.read_bytes()[:size])


def line(number, text):
    def do(path):
        lines = path.read_text().splitlines()
        lines[number - 1 : number] = [text]
        path.write_bytes("\n".join(lines).encode(errors="surrogateescape"))

    return do


def lines(n):
    return lambda path: path.write_text("".join(path.read_text().splitlines(keepends=True)[:n]))


def swapped(old, new):
    return lambda path: path.write_text(path.read_text().replace(old, new))


def keys(change=None, **values):
    """Change what a JSON file holds."""

    def do(path):
        whole = json.loads(path.read_text())
        if change:
            change(whole)
        path.write_text(json.dumps(whole | values))

    return do


def saved(array):
    return lambda path: np.save(path, array)


def sound(samples):
    return lambda path: wavfile.write(path, RATE, samples)


def copied(name):
    return lambda path: shutil.copy(path, path.with_name(name))


def named(name):
    return lambda path: path.rename(path.with_name(name))


def gone(path):
    path.unlink()


def emptied(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
