from __future__ import annotations

import copy
import pickle

import pytest

from sockio.errors import ConnectionEOFError, ConnectionTimeoutError, LimitError, ProtocolError

ERRORS = [
    (ConnectionTimeoutError("late"), (ConnectionError, TimeoutError), {}),
    (ConnectionEOFError("ended", b"par"), (ConnectionError, EOFError), {"partial": b"par"}),
    (LimitError("long", 3, b"lon"), (ValueError,), {"limit": 3, "partial": b"lon"}),
    (ProtocolError("what", b"?"), (ValueError,), {"data": b"?"}),
]


@pytest.mark.parametrize(("error", "kin", "attributes"), ERRORS)
def test_kin_and_attributes_survive_a_process(error, kin, attributes):
    for same in (error, pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(same) is type(error)
        assert str(same) == str(error) == error.args[0]
        assert {name: getattr(same, name) for name in attributes} == attributes
        for ancestor in kin:
            assert isinstance(same, ancestor)
