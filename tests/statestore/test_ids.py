"""New ids are UUIDv7 text: unique, lower case, and later ones sort later."""

import re
import threading
import time
import uuid

from diglot.statestore.ids import new_id
from diglot.statestore.repositories.validation import check_id

FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_an_id_is_a_uuid_of_version_7_in_lower_case():
    made = new_id()
    assert type(made) is str
    assert FORM.fullmatch(made)
    assert uuid.UUID(made).version == 7
    assert check_id(made, "id") == made


def test_an_id_tells_when_it_was_made():
    before = time.time_ns() // 1_000_000
    made = uuid.UUID(new_id()).int >> 80
    assert before <= made <= time.time_ns() // 1_000_000


def test_ids_that_are_made_later_sort_later():
    made = [new_id() for _ in range(10_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_threads_never_make_the_same_id():
    made = [[] for _ in range(4)]
    threads = [threading.Thread(target=lambda m=m: m.extend(new_id() for _ in range(2_000))) for m in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id for ids in made for id in ids}) == 8_000
