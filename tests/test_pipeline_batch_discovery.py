"""Which sessions a study has, and what they are called."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.errors import ManifestError, MissingFileError, NothingUsableError
from pipeline.batch.discovery import find_sessions, fit
from pipeline.batch.plan import only

MANIFEST = 'name = "x"\n[[people]]\nid = "p01"\n[[streams]]\nname = "ecg"\nkind = "ecg"\nfile = "a.csv"\n'


def put(path: Path, text: str = MANIFEST) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def names(study: Path, out: Path | None = None) -> list[str]:
    return [place.name for place in find_sessions(study, out)]


def test_a_tree_as_in_bids(tmp_path: Path) -> None:
    for where in ("sub-02/ses-a", "sub-01/ses-b", "sub-01/ses-a", "sub-03"):
        put(tmp_path / where / "session.toml")
    put(tmp_path / "derivatives" / "sub-01" / "session.toml")
    put(tmp_path / ".hidden" / "session.toml")
    put(tmp_path / "results" / "sub-01" / "session.toml")
    put(tmp_path / "sub-01" / "ses-a" / "deeper" / "session.toml")
    put(tmp_path / "sub-04" / "face.csv", "t,x\n")
    found = find_sessions(tmp_path, tmp_path / "results")
    assert [one.name for one in found] == ["sub-01_ses-a", "sub-01_ses-b", "sub-02_ses-a", "sub-03", "sub-04"]
    assert not found[-1].manifest.exists(), "a folder without a manifest is a session that nobody has described"


def test_a_folder_of_manifests(tmp_path: Path) -> None:
    for name in ("p02", "p01", "größe"):
        put(tmp_path / f"{name}.toml")
    put(tmp_path / "profile.toml", 'queue = "short"\n')
    put(tmp_path / "broken.toml", MANIFEST + "what = \n")
    assert names(tmp_path) == ["broken", "größe", "p01", "p02"]


def test_a_table_names_labels_sessions(tmp_path: Path) -> None:
    put(tmp_path / "data" / "one" / "session.toml")
    table = put(tmp_path / "study.csv", "session,folder,condition,note\ns1,data/one,truth,\ns2,data/two,lie,n/a\n")
    first, second = find_sessions(table)
    assert (first.name, first.manifest) == ("s1", tmp_path / "data" / "one" / "session.toml")
    assert dict(first.labels) == {"condition": "truth"} and dict(second.labels) == {"condition": "lie"}
    tabs = put(tmp_path / "study.tsv", "folder\tgroup\ndata/one\ta\n")
    assert names(tabs) == ["data_one"]


def test_what_is_no_study_is_refused_with_its_mend(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such study"):
        find_sessions(tmp_path / "nowhere")
    with pytest.raises(NothingUsableError, match="telltale init"):
        find_sessions(tmp_path)
    with pytest.raises(ManifestError, match="folder"):
        find_sessions(put(tmp_path / "t.csv", "who\np01\n"))
    twice = put(tmp_path / "u.csv", "session,folder\nA,x\na,y\n")
    with pytest.raises(ManifestError, match="same name"):
        find_sessions(twice)


def described(folder: Path, file: str = "a.csv") -> Path:
    return put(folder / "session.toml", MANIFEST.replace("a.csv", file))


def all_names(study: Path, out: Path | None = None) -> list[str]:
    return [place.name for place in find_sessions(study, out, with_undescribed=True)]


def test_folders_of_recordings_without_a_manifest_are_listed_where_asked_for(tmp_path: Path) -> None:
    described(tmp_path / "anna")
    put(tmp_path / "ben" / "videos" / "face.mp4", "")
    put(tmp_path / "ben" / "voice.wav", "")
    put(tmp_path / "cleo" / "ecg.csv", "time_s,ecg_mv\n" + "".join(f"{n / 100},{n % 7}\n" for n in range(2000)))
    put(tmp_path / "labels" / "labels.csv", "session,label\nanna,lie\nben,truth\n")
    put(tmp_path / "notes" / "readme.md", "none")
    put(tmp_path / ".hidden" / "face.mp4", "")
    put(tmp_path / "code" / "face.mp4", "")
    put(tmp_path / "out" / "face.mp4", "")
    put(tmp_path / "old" / "anna" / "result.json", "{}")
    put(tmp_path / "old" / "anna" / "report" / "videos" / "face.mp4", "")
    put(tmp_path / "anna" / "takes" / "face.mp4", "")
    assert all_names(tmp_path, tmp_path / "out") == ["anna", "ben", "cleo"]
    assert names(tmp_path, tmp_path / "out") == ["anna"], "other commands work with what is described"


def test_recordings_that_a_manifest_names_are_no_session_of_their_own(tmp_path: Path) -> None:
    put(tmp_path / "p01.toml", MANIFEST.replace("a.csv", "p01/face.mp4"))
    put(tmp_path / "p01" / "face.mp4", "")
    put(tmp_path / "p02" / "face.mp4", "")
    described(tmp_path / "group" / "one", "../shared/room.wav")
    put(tmp_path / "group" / "shared" / "room.wav", "")
    assert all_names(tmp_path) == ["group_one", "p01", "p02"]


def test_one_session_without_a_manifest_is_not_taken_apart(tmp_path: Path) -> None:
    put(tmp_path / "voice.wav", "")
    put(tmp_path / "videos" / "face.mp4", "")
    with pytest.raises(NothingUsableError, match="telltale init"):
        all_names(tmp_path)


def test_only_takes_names_and_patterns(tmp_path: Path) -> None:
    for name in ("p01", "p02", "q01"):
        put(tmp_path / name / "session.toml")
    places = find_sessions(tmp_path)
    assert [one.name for one in only(places, "p0*")] == ["p01", "p02"]
    assert [one.name for one in only(places, "q01, p02")] == ["p02", "q01"]
    with pytest.raises(MissingFileError, match="p01, p02, q01"):
        only(places, "r*")


@given(st.text(max_size=300))
def test_every_name_is_fit_for_a_folder(text: str) -> None:
    name = fit(text)
    assert name and len(name.encode()) <= 120
    assert not set(name) & set('/\\:*?"<>|\0\n') and name not in (".", "..") and not name.startswith(".")


@given(st.text(min_size=121, max_size=200), st.text(min_size=1, max_size=5))
def test_long_names_stay_apart(text: str, more: str) -> None:
    one, other = fit(f"a{text}b"), fit(f"a{text}b{more}c")
    assert one != other


@pytest.mark.parametrize(
    "value", ["../other", "data/../../other", "{elsewhere}/one", "../other/p01.toml", "link/../other"]
)
def test_a_row_that_leads_out_of_the_study_is_refused_unless_its_folder_is_allowed(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, elsewhere = tmp_path / "other", tmp_path / "elsewhere"
    for place in (other, other / "deep", elsewhere / "one", elsewhere / "other"):
        put(place / "session.toml")
    put(other / "p01.toml")
    (tmp_path / "study" / "data").mkdir(parents=True)
    (tmp_path / "study" / "link").symlink_to(elsewhere / "one", target_is_directory=True)
    row = value.format(elsewhere=elsewhere)
    table = put(tmp_path / "study" / "study.csv", f"session,folder\ns1,{row}\n")
    monkeypatch.delenv("TELLTALE_ALLOW", raising=False)
    with pytest.raises(ManifestError, match=r"out of the study's folder.*line 2.*TELLTALE_ALLOW"):
        find_sessions(table)
    monkeypatch.setenv("TELLTALE_ALLOW", str(tmp_path / "nowhere"))
    with pytest.raises(ManifestError):
        find_sessions(table)
    monkeypatch.setenv("TELLTALE_ALLOW", f"{tmp_path / 'nowhere'}:{elsewhere}:{other}")
    assert names(table) == ["s1"]


def test_a_row_may_climb_within_the_study_and_follow_its_links(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere" / "session.toml")
    put(tmp_path / "study" / "one" / "session.toml")
    (tmp_path / "study" / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    table = put(tmp_path / "study" / "study.csv", "session,folder\ns1,one/../one\ns2,linked\ns3,./one\n")
    assert names(table) == ["s1", "s2", "s3"]
