"""The names of the vocabularies that a field may belong to beside IEEE 2030.5-2018, which every profile speaks.

A profile says which of them it speaks. A field of another vocabulary is read with a note, because a wish that was sent
must not vanish with the profile, and is never written.
"""

from typing import Final

E2023: Final = "IEEE 2030.5-2023"
AUS: Final = "CSIP-AUS 1.2"
"""What CSIP-AUS 1.2 added; 1.3 speaks it too."""
AUS_1_3: Final = "CSIP-AUS 1.3"
BEYOND: Final = "no edition"
"""What servers in the field send although no schema has it there."""
