"""Lists page by page, against a server that is a plain sequence, and against servers that lie."""

from hypothesis import given, settings
from hypothesis import strategies as st

from wattseal.protocols.ieee2030_5.client.paging import PAGES_MOST, RESTARTS_MOST, Page, Paging, Verdict


def page_at(keys, start, most, *, says_all=True, says_results=True, extra=0):
    here = keys[start : start + most]
    return Page(
        tuple((key, key) for key in here),
        len(here),
        len(keys) + extra if says_all else None,
        len(here) if says_results else None,
    )


def read(answer, most=4 * PAGES_MOST):
    """Feeds pages until the reading ends; gives verdict, items and how many pages were asked for."""
    paging = Paging()
    for count in range(1, most):
        verdict = paging.take(answer(paging.start))
        if verdict is not Verdict.MORE:
            return verdict, paging.items, count, paging
    raise AssertionError("endless")


lists = st.lists(st.integers(0, 10_000).map(str), max_size=60, unique=True)


@settings(max_examples=300, deadline=None)
@given(keys=lists, most=st.integers(1, 30), says_all=st.booleans(), says_results=st.booleans())
def test_a_list_is_read_whole_whatever_the_size_of_its_pages(keys, most, says_all, says_results):
    """Brute force is the list itself; `all` and `results` may be missing."""
    verdict, items, pages, _ = read(
        lambda start: page_at(keys, start, most, says_all=says_all, says_results=says_results)
    )
    assert verdict is Verdict.WHOLE
    assert items == tuple(keys)
    assert pages <= len(keys) // most + 2


@settings(max_examples=300, deadline=None)
@given(keys=lists.filter(bool), most=st.integers(1, 30), wrong=st.integers(0, 100))
def test_results_that_lie_change_nothing(keys, most, wrong):
    def answer(start):
        page = page_at(keys, start, most)
        return Page(page.items, page.seen, page.all, wrong)

    assert read(answer)[:2] == (Verdict.WHOLE, tuple(keys))


@settings(max_examples=300, deadline=None)
@given(keys=lists, most=st.integers(1, 30), extra=st.integers(1, 50))
def test_all_that_is_too_high_ends_with_an_empty_page_and_never_as_a_short_list(keys, most, extra):
    """An empty page where some should be is the list's end; an empty first page proves nothing."""
    verdict, items, _, paging = read(lambda start: page_at(keys, start, most, extra=extra))
    if keys:
        assert (verdict, items) == (Verdict.WHOLE, tuple(keys))
    else:
        assert (verdict, paging.reason) == (Verdict.BROKEN, "list_all_lies")


@settings(max_examples=300, deadline=None)
@given(before=lists, after=lists, most=st.integers(1, 10), when=st.integers(1, 5))
def test_a_list_that_changes_its_length_while_it_is_read_is_read_again(before, after, most, when):
    """The result is what a server held at one time, never a mixture with another `all`."""
    asked = 0

    def answer(start):
        nonlocal asked
        asked += 1
        return page_at(before if asked <= when else after, start, most)

    verdict, items, _, _ = read(answer)
    assert verdict in {Verdict.WHOLE, Verdict.BROKEN}
    if verdict is Verdict.WHOLE and len(before) != len(after):
        assert items in {tuple(before), tuple(after)}


def test_a_list_that_never_rests_is_given_up():
    asked = 0

    def answer(start):
        nonlocal asked
        asked += 1
        return page_at([str(number) for number in range(20 + asked)], start, 5)

    verdict, _, pages, paging = read(answer)
    assert (verdict, paging.reason) == (Verdict.BROKEN, "list_restless")
    assert pages <= 2 * (RESTARTS_MOST + 1)


def test_a_server_that_ignores_the_start_is_no_endless_list():
    """It gives everything each time: whole where `all` is met or not said, else not whole."""
    same = [str(number) for number in range(5)]
    assert read(lambda _: page_at(same, 0, 5))[:3] == (Verdict.WHOLE, tuple(same), 1)
    assert read(lambda _: page_at(same, 0, 5, says_all=False))[:3] == (Verdict.WHOLE, tuple(same), 2)
    verdict, _, pages, paging = read(lambda _: page_at(same, 0, 2))
    assert (verdict, paging.reason, pages) == (Verdict.BROKEN, "list_repeats", 2)


def test_an_endless_list_is_bounded():
    verdict, _, pages, paging = read(lambda start: Page(((str(start), start),), 1))
    assert (verdict, paging.reason, pages) == (Verdict.BROKEN, "list_too_long", PAGES_MOST + 1)


def test_an_item_listed_twice_counts_once_and_is_told():
    page = Page((("a", 1), ("b", 2), ("a", 3)), 3, 3, 3)
    verdict, items, _, paging = read(lambda _: page)
    assert (verdict, items, paging.duplicates) == (Verdict.WHOLE, (1, 2), ["a"])


def test_items_left_out_count_as_seen():
    """A page of three of which one broke its type goes on behind the third."""
    pages = {0: Page((("a", 1), ("c", 3)), 3, 4, 3), 3: Page((("d", 4),), 1, 4, 1)}
    assert read(pages.__getitem__)[:2] == (Verdict.WHOLE, (1, 3, 4))
