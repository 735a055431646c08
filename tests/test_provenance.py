import importlib

import pytest

import paperlib
from paperlib import provenance
from paperlib.grid import ROOT
from paperlib.provenance import code_of, digest, source_fingerprint


@pytest.fixture
def module(tmp_path):
    """Write modules of `paperlib` by name, as a changed working tree would hold them."""
    paperlib.__path__.append(str(tmp_path))

    (tmp_path / "package").mkdir()

    def write(**sources):
        for name, source in sources.items():
            file = tmp_path / ("package/__init__.py" if name == "package" else f"{name}.py")
            file.write_text(source)
        forget()

    yield write
    paperlib.__path__.remove(str(tmp_path))
    forget()


def forget():
    importlib.invalidate_caches()
    for cached in (provenance.code_of, provenance._parsed, provenance._source):
        cached.cache_clear()


TASK = '''
RATE = 0.1
UNUSED = 3


def task(x):
    """Words."""
    return RATE * helper(x)


def helper(x):
    return x + 1
'''


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"""Words."""', '"""Other words."""'),
        ("return x + 1", "return x + 1  # why"),
        ("return x + 1", "return (x\n            + 1)"),
        ("UNUSED = 3", "UNUSED = 4"),
        ("UNUSED = 3", "def unused(x):\n    return x"),
    ],
)
def test_what_cannot_change_a_result_trains_nothing_again(module, before, after):
    module(toy=TASK)
    code = code_of("paperlib.toy:task")
    assert TASK.count(before) == 1
    module(toy=TASK.replace(before, after))
    assert code_of("paperlib.toy:task") == code


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ("RATE = 0.1", "RATE = 0.2", "RATE"),
        ("RATE = 0.1", "RATE: float = 0.1", "RATE"),
        ("RATE = 0.1", "RATE, OTHER = 0.1, 0.2", "RATE"),
        ("RATE = 0.1", "RATE = 0.1\nRATE /= 2", "RATE"),
        ("x + 1", "x + 2", "helper"),
        ("def task(x)", "def task(x, y=helper)", "task"),
    ],
)
def test_what_can_change_a_result_is_named(module, before, after, changed):
    module(toy=TASK)
    code = code_of("paperlib.toy:task")
    module(toy=TASK.replace(before, after))
    again = code_of("paperlib.toy:task")
    assert {name for name in code if code[name] != again[name]} == {f"paperlib.toy:{changed}"}


@pytest.mark.parametrize(
    ("head", "call"),
    [
        ("from paperlib.depth import below", "below()"),
        ("from paperlib.depth import below as other", "other()"),
        ("from paperlib import depth", "depth.below()"),
        ("from paperlib import depth as other", "other.below()"),
        ("from paperlib import depth", "depth.TABLE['below']()"),
        ("from paperlib.depth import TABLE", "TABLE['below']()"),
        ("from paperlib.package import below", "below()"),
        ("from paperlib import package", "package.below()"),
        ("from paperlib.depth import Below", "Below().method()"),
        ("from paperlib.depth import Child", "Child().method()"),
        ("", "local()"),
    ],
)
def test_a_dependency_is_followed_through(module, head, call):
    depth = """
def below():
    return bottom()
def bottom():
    return 1
TABLE = {}
TABLE['below'] = below
class Below:
    def method(self):
        return bottom()
class Child(Below):
    pass
"""
    module(
        toy=f"""
{head}
def task():
    return {call}
def local():
    from paperlib.depth import below
    return below()
""",
        depth=depth,
        package="from paperlib.depth import below",
    )
    code = code_of("paperlib.toy:task")
    module(depth=depth.replace("return 1", "return 2"))
    again = code_of("paperlib.toy:task")
    assert [name for name in code if code[name] != again[name]] == ["paperlib.depth:bottom"]


def test_definitions_that_call_each_other_end(module):
    module(
        toy="def even(n):\n    return n == 0 or odd(n - 1)\ndef odd(n):\n    return n > 0 and even(n - 1)\n"
    )
    assert set(code_of("paperlib.toy:even")) == {"paperlib.toy:even", "paperlib.toy:odd"}


def test_data_and_grid_are_not_followed(module):
    module(
        toy="""
from paperlib import data, grid
from paperlib.data.records import FaceSet
from paperlib.tracks import Track
def task():
    return Track, FaceSet, data.subset, grid.Run
"""
    )
    assert set(code_of("paperlib.toy:task")) == {"paperlib.toy:task"}


def test_a_name_that_is_not_there_is_named(module):
    module(toy="from paperlib.losses import no_such_loss\ndef task():\n    return no_such_loss()\n")
    with pytest.raises(LookupError, match="paperlib.losses has no definition 'no_such_loss'"):
        code_of("paperlib.toy:task")
    with pytest.raises(LookupError, match="paperlib.toy has no definition 'taks'"):
        code_of("paperlib.toy:taks")
    for missing in ("paperlib.tasks.toy", "no_such_package"):
        with pytest.raises(LookupError, match=f"there is no module {missing}"):
            code_of(f"{missing}:task")


def test_no_module_is_run_to_be_read(module):
    module(toy="def task():\n    return 1\nraise RuntimeError('this module was imported')\n")
    assert set(code_of("paperlib.toy:task")) == {"paperlib.toy:task"}


def test_training_on_faces_reaches_what_trains_and_nothing_that_draws():
    reached = set(code_of("paperlib.tasks.label_variance:train_faces"))
    assert reached >= {
        "paperlib.labels:EXPRESSIONS",
        "paperlib.losses:LOSSES",
        "paperlib.losses:MAX_LOG_VARIANCE",
        "paperlib.losses:kl_as_printed",
        "paperlib.losses:kl_continuous",
        "paperlib.losses:beta_nll",
        "paperlib.models.backbones:COMPACT",
        "paperlib.models.backbones:CompactNet",
        "paperlib.models.backbones:Stage",
        "paperlib.models.backbones:TORCHVISION",
        "paperlib.models.label_variance:LabelVarianceNet",
        "paperlib.models.label_variance:VoteNet",
        "paperlib.models.label_variance:_head",
        "paperlib.tasks.label_variance:DROPOUT_SAMPLES",
        "paperlib.tasks.label_variance:SHIFT",
        "paperlib.tasks.label_variance:augment",
        "paperlib.tasks.label_variance:one_rating",
        "paperlib.tasks.label_variance:predict",
        "paperlib.training:EpochBatches",
        "paperlib.training:Schedule",
        "paperlib.training:fit",
        "paperlib.provenance:native_precision",
        "paperlib.twin.prototypes:CIRCUMPLEX",
    }
    modules = {name.partition(":")[0] for name in reached}
    assert modules == {
        "paperlib.labels",
        "paperlib.losses",
        "paperlib.models.backbones",
        "paperlib.models.label_variance",
        "paperlib.provenance",
        "paperlib.tasks.label_variance",
        "paperlib.training",
        "paperlib.twin.prototypes",
    }
    assert not reached & {
        "paperlib.labels:is_noisy",
        "paperlib.models.label_variance:TemporalNetVLAD",
        "paperlib.tasks.label_variance:train_sequences",
    }


def test_training_on_sequences_reaches_its_pooling_and_no_picture():
    reached = set(code_of("paperlib.tasks.label_variance:train_sequences"))
    assert "paperlib.models.label_variance:TemporalNetVLAD" in reached
    assert not {name for name in reached if "backbones" in name or "augment" in name}


def test_fingerprints_are_short_stable_digests():
    assert digest("abc") == "ba7816bf8f01cfea"  # FIPS 180-2, appendix B.1
    assert source_fingerprint() == source_fingerprint()
    assert len(source_fingerprint()) == 16
    assert (ROOT / "paperlib" / "grid.py").is_file()
