"""A few files of the campaign: tampered with, each is read or refused in one line, and nothing else is touched."""

from tests.campaigns.hostile_files import campaign


def test_tampered_files_are_used_or_refused_in_one_line():
    found = campaign(80, seed=7)
    assert found["wrong"] == []
    assert sum(found["counts"].values()) == 80
