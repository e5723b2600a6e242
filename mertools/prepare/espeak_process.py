"""A program that speaks one utterance with eSpeak NG: settings as arguments, text on standard input, sound on output.

The synthesiser keeps state between utterances (the flutter of its voices), so the same words sound a little different
the second time. An utterance that has a process of its own is always the same, and the library's crashes stay there.
Only the standard library's lightest modules are imported, so that starting the process costs some 30 ms.

    python -I -S espeak_process.py LIBRARY DATA VOICE RATE PITCH RANGE  < text.txt > sound.pcm

Writes 16-bit mono samples in the machine's byte order, after the sample rate as one 32-bit integer.
"""

import ctypes
import sys

AUDIO_OUTPUT_SYNCHRONOUS = 2
CHARACTERS_UTF8 = 1
RATE, PITCH, RANGE = 1, 3, 4

Receiver = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def main(library: str, data: str, voice: str, rate: str, pitch: str, pitch_range: str) -> None:
    """Speak standard input to standard output; exits with a message where eSpeak NG refuses."""
    espeak = ctypes.CDLL(library)
    text = sys.stdin.buffer.read() + b"\0"
    sound = bytearray()

    @Receiver
    def receive(samples, count, _events):
        if samples and count > 0:
            sound.extend(ctypes.string_at(samples, 2 * count))
        return 0

    sample_rate = espeak.espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, data.encode(), 0)
    if sample_rate <= 0:
        sys.exit(f"eSpeak NG does not start with the data in {data}")
    # Breathy voices draw noise, from the time of day unless told otherwise.
    espeak.espeak_ng_SetRandSeed(ctypes.c_long(1))
    espeak.espeak_SetSynthCallback(receive)
    if espeak.espeak_SetVoiceByName(voice.encode()):
        sys.exit(f"eSpeak NG has no voice {voice!r}")
    for parameter, value in ((RATE, rate), (PITCH, pitch), (RANGE, pitch_range)):
        espeak.espeak_SetParameter(parameter, int(value), 0)
    if espeak.espeak_Synth(text, ctypes.c_size_t(len(text)), 0, 0, 0, CHARACTERS_UTF8, None, None):
        sys.exit("eSpeak NG cannot speak this text")
    espeak.espeak_Synchronize()
    sys.stdout.buffer.write(sample_rate.to_bytes(4, sys.byteorder) + sound)


if __name__ == "__main__":
    main(*sys.argv[1:])
