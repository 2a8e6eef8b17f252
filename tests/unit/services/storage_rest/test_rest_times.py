"""Instants in bodies, and entity tags."""

from localzure.services.interface import Instant
from localzure.services.storage_rest.times import EntityTags, format_etag, iso_time


def test_iso_time_has_seven_digits() -> None:
    assert iso_time(Instant(784_111_777_000_001)) == "1994-11-06T08:49:37.0000010Z"
    assert iso_time(Instant(0)) == "1970-01-01T00:00:00.0000000Z"


def test_a_tag_is_the_time_in_ticks() -> None:
    assert format_etag(EntityTags().next(Instant(0))) == f'"0x{621_355_968_000_000_000:X}"'
    assert EntityTags().next(Instant(7)) - EntityTags().next(Instant(0)) == 70


def test_tags_never_repeat_though_the_clock_stands_or_goes_back() -> None:
    tags = EntityTags()
    given = [tags.next(Instant(now)) for now in (5, 5, 5, 3, 5, 6, 0)]
    assert given == sorted(set(given))
