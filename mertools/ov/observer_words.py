"""The observer's sentences in English and Mandarin: what is filled into them are measured numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """One language's sentences.

    `voice` tells of each signal when it is low, ordinary and high; `{}` is the share of the corpus, as in "94 %".
    """

    voice: Mapping[str, tuple[str, str, str]]
    face: Mapping[str, str]
    voice_sentence: str
    face_sentence: str
    unclear_face: str
    no_voice: str
    no_face: str
    percent: str
    standing_out: str
    on_average: str
    from_on: str
    until: str
    between: str
    comma: str
    conjunction: str

    def compared(self, signal: str, percentile: float, low: float, high: float) -> str:
        """How a voice is in one signal, whose number is above that of so many of 100 clips."""
        less, ordinary, more = self.voice[signal]
        if percentile <= low:
            return less.format(self.share(1 - percentile / 100))
        return more.format(self.share(percentile / 100)) if percentile >= high else ordinary

    def share(self, fraction: float) -> str:
        """A fraction in percent; none of a finite corpus is the whole world, so 99 is the most."""
        return self.percent.format(min(99, round(100 * fraction)))

    def span(self, begin: float | None, end: float | None) -> str:
        """When something is seen, in seconds; None is the clip's beginning or end, and both are nothing to tell."""
        if begin is None and end is None:
            return ""
        if end is None:
            return self.from_on.format(begin)
        return self.until.format(end) if begin is None else self.between.format(begin, end)

    def of_voice(self, clauses: Sequence[str]) -> str:
        """The sentence about a voice."""
        return self.voice_sentence.format(self.comma.join(clauses))

    def of_face(self, clauses: Sequence[str]) -> str:
        """The sentence about a face that looks like something."""
        return self.face_sentence.format(self.conjunction.join(clauses))


LANGUAGES = {
    "en": Words(
        voice={
            "loudness": ("softer than {}", "ordinary in loudness", "louder than {}"),
            "pitch": ("lower than {}", "ordinary in pitch", "higher than {}"),
            "melody": ("more monotonous than {}", "ordinary in melody", "more melodious than {}"),
            "rate": ("slower than {}", "ordinary in pace", "faster than {}"),
            "pauses": ("shorter in its pauses than {}", "ordinary in its pauses", "longer in its pauses than {}"),
            "clarity": ("hoarser than {}", "ordinary in clarity", "clearer than {}"),
        },
        face={
            "angry": "angry",
            "disgust": "disgusted",
            "fear": "afraid",
            "happy": "happy",
            "sad": "sad",
            "surprise": "surprised",
            "neutral": "neutral",
        },
        voice_sentence="Among the voices of this corpus this one is {}.",
        face_sentence="The face looks {}.",
        unclear_face="The face shows no expression that stands out in this corpus.",
        no_voice="No speech was found ({}).",
        no_face="No face was found ({}).",
        percent="{} %",
        standing_out="{} ({} on average, more than {} of this corpus)",
        on_average="{} ({} on average)",
        from_on=" from {:.1f} s on",
        until=" until {:.1f} s",
        between=" from {:.1f} to {:.1f} s",
        comma=", ",
        conjunction=" and ",
    ),
    "zh": Words(
        voice={
            "loudness": ("比{}的更轻", "响度一般", "比{}的更响"),
            "pitch": ("音调比{}的更低", "音调一般", "音调比{}的更高"),
            "melody": ("语调比{}的更单调", "语调起伏一般", "语调比{}的起伏更大"),
            "rate": ("语速比{}的更慢", "语速一般", "语速比{}的更快"),
            "pauses": ("停顿比{}的更短", "停顿一般", "停顿比{}的更长"),
            "clarity": ("嗓音比{}的更沙哑", "嗓音清晰度一般", "嗓音比{}的更清亮"),
        },
        face={
            "angry": "生气",
            "disgust": "厌恶",
            "fear": "害怕",
            "happy": "高兴",
            "sad": "悲伤",
            "surprise": "惊讶",
            "neutral": "中性",
        },
        voice_sentence="在本语料的声音中，这段声音{}。",
        face_sentence="面部表情显得{}。",
        unclear_face="面部没有在本语料中突出的表情。",
        no_voice="没有检测到语音（{}）。",
        no_face="没有检测到人脸（{}）。",
        percent="{}%",
        standing_out="{}（平均{}，高于本语料中{}的片段）",
        on_average="{}（平均{}）",
        from_on="，从{:.1f}秒起",
        until="，到{:.1f}秒为止",
        between="，从{:.1f}秒到{:.1f}秒",
        comma="，",
        conjunction="，也显得",
    ),
}
