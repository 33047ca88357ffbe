"""The physics of a beamline that never breaks: source, sample and detector as seeded, exact functions of time."""

from firstlight.simulation._peak import Peak
from firstlight.simulation._random import key, key_of, moment_states, poisson
from firstlight.simulation._ring import Ring

__all__ = ["Peak", "Ring", "key", "key_of", "moment_states", "poisson"]
