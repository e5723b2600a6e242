"""The baseline suite of the MER2024 challenge: multimodal emotion recognition from clips of a talking person.

Importing this package costs nothing: heavy libraries are imported where they are used.
"""

__version__ = "0.1.0"
