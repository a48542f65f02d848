"""Pictures in colour reach a circuit that sees pixels as their luminance, whatever the study."""

from __future__ import annotations

import numpy as np
import pytest

from neurosim.schema import as_stimuli
from neurosim.study import CircuitSubject
from neurosim.study.subjects import circuit
from neurosim.study.tables import StudyError

COLOURED = as_stimuli(np.random.default_rng(0).random((3, 3, 8, 8)), dims=("stimulus", "channel", "y", "x"))


def test_colour_is_seen_as_luminance_pixel_by_pixel():
    config = {"circuit": "lgn_v1", "encoder": None, "image_size": None}
    found = circuit._encoded(COLOURED, config)
    luminance = np.tensordot(COLOURED.values, (0.299, 0.587, 0.114), axes=(1, 0)).reshape(3, 64)
    np.testing.assert_allclose(found.transpose("stimulus", "unit").values, luminance, rtol=1e-12)
    as_it_is = circuit._encoded(COLOURED, config | {"encoder": "none"})
    assert as_it_is.sizes["unit"] == 3 * 64


def test_another_word_for_an_encoder_is_refused():
    with pytest.raises((StudyError, ValueError), match="luminance"):
        CircuitSubject(circuit="lgn_v1", encoder="brightness")
