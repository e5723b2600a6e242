"""Every prompt of the suite, with its source; verbatim where somebody printed it, else in our own words.

Verbatim means: white space folded, no space before punctuation. `{names}` in braces are filled by `str.format`.
"""

from __future__ import annotations

from collections.abc import Sequence

REPAIR = (
    "Your answer cannot be used: {fault}. Please answer the same question again, with nothing but what it asks for."
)
"""What a model is told of an answer that could not be read."""

CLUES = {
    "audio": (
        "As an expert in the field of emotions, please focus on the acoustic information in the audio to discern clues "
        "related to the emotions of the individual. Please provide a detailed description and ultimately predict the "
        "emotional state of the individual."
    ),
    "video": (
        "As an expert in the field of emotions, please focus on the facial expressions, body movements, environment, "
        "etc., in the video to discern clues related to the emotions of the individual. Please provide a detailed "
        "description and ultimately predict the emotional state of the individual in the video."
    ),
    "audio-video": (
        "As an expert in the field of emotions, please focus on the facial expressions, body movements, environment, "
        "acoustic information, etc., in the video to discern clues related to the emotions of the individual. Please "
        "provide a detailed description and ultimately predict the emotional state of the individual in the video."
    ),
}
"""What multimodal models are asked, by what they perceive (MER2024, Table 3)."""

ONE_STEP = (
    "The subtitle of this video is <Subtitle> {subtitle} </Subtitle>. Now answer my question based on what you have "
    "heard, seen, and given subtitles. From what clues can we infer the person's emotional state? Please summarize the "
    "clues in a maximum of 100 words."
)
"""All in one question, the subtitle in tags (EMER §3)."""

SUBTITLE_CLUES = {
    "audio": (
        "Subtitle content of this audio: {subtitle}; As an expert in the field of emotions, please focus on the "
        "acoustic information and subtitle content in the audio to discern clues related to the emotions of the "
        "individual. Please provide a detailed description and ultimately predict the emotional state of the "
        "individual."
    ),
    "video": (
        "Subtitle content of this video: {subtitle}; As an expert in the field of emotions, please focus on the facial "
        "expressions, body movements, environment, subtitle content, etc., in the video to discern clues related to "
        "the emotions of the individual. Please provide a detailed description and ultimately predict the emotional "
        "state of the individual in the video."
    ),
    "audio-video": (
        "Subtitle content of this video: {subtitle}; As an expert in the field of emotions, please focus on the facial "
        "expressions, body movements, environment, acoustic information, subtitle content, etc., in the video to "
        "discern clues related to the emotions of the individual. Please provide a detailed description and ultimately "
        "predict the emotional state of the individual in the video."
    ),
}
"""The later form of CLUES, with the subtitle in the question. The one for video is the organisers' of 2025; those for
audio and both are Table 3's, changed in the same way."""

NOTED_CLUES = (
    "The facial expression of the person in the video is {visual_clues}, and the tone of voice is {audio_clues}. The "
    "dialogue content is {subtitle}."
)
"""Clues and subtitle in one prompt: a proposal in a reader's notes on EMER, in the place of ONE_STEP's first
sentence."""

NOTED_QUESTION = (
    "From what clues can we infer the person's emotional state? Please summarize the clues in a maximum of 100 words."
)
"""What ONE_STEP asks (EMER §3), for NOTED_CLUES."""

LABELS = (
    "Please assume the role of an expert in the field of emotions. We provide clues that may be related to the "
    "emotions of the characters. Based on the provided clues, please identify the emotional states of the main "
    "characters. Please separate different emotional categories with commas and output only the clearly "
    "identifiable emotional categories in a list format. If none are identified, please output an empty list."
)
"""The extraction of labels from a description (MER2024 §2.3)."""

LABEL_SHOTS = (
    ("We cannot recognize his emotional state", "[]"),
    ("His emotional state is happy, sad, and angry", "[happy, sad, angry]"),
)
"""Examples that the organisers' later code shows with LABELS: description and answer."""

GROUPING = (
    "Please assume the role of an expert in the field of emotions. We provide a set of emotions. Please group the "
    "emotions, with each group containing emotions with the same meaning. Directly output the results. The output "
    "format should be a list containing multiple lists."
)
"""The grouping of synonyms before scoring (MER2024 §3.4)."""

LABELS_IN_CHINESE = (
    "请你担任情感领域的专家。下面给出可能与人物情感有关的线索。请根据这些线索判断主要人物的情感状态，"
    '只输出能够明确判断的情感类别，写成一个列表，类别之间用逗号隔开，例如 ["高兴", "感激"]。'
    "如果无法判断，请输出空列表 []。"
)
"""LABELS for Chinese descriptions, whose prompt no paper prints: our words."""

CLUES_OF = {
    "en": {
        "audio": "what an observer noticed in the sound",
        "video": "what an observer noticed in the picture",
        "audio-video": "what observers noticed in the sound and in the picture",
    },
    "zh": {
        "audio": "从声音中观察到的线索",
        "video": "从画面中观察到的线索",
        "audio-video": "从声音和画面中观察到的线索",
    },
}
"""How the disambiguation calls clues, by language and by what they were perceived in."""

DISAMBIGUATION = {
    "en": (
        "You are an expert in human emotions. A person speaks in a short video, and you are given {given}. The same "
        "words can be meant in more than one way, and an observer can be mistaken: weigh everything you are given, "
        "decide how the words are meant, and where two things contradict each other, say which is more plausible. "
        "Describe in English, in one paragraph of at most 100 words, which emotional states the person is in, as many "
        "as can be told, each with what it is told from. Use nothing that is not given here."
    ),
    "zh": (
        "你是情感分析专家。一段短视频中有人在说话，现给出{given}。同样的话可能有不同的含义，观察也可能有误："
        "请综合所有给出的信息，判断这句话的真实含义；信息之间有矛盾时，请说明哪一种更可信。请用中文写一段不超过150字的话，"
        "说明人物处于哪些情感状态（能判断几种就写几种），并逐一说明依据。不要使用这里没有给出的信息。"
    ),
}
"""The disambiguation of a subtitle by clues (MER2024 §2.3, whose prompt no paper prints): our words, by language."""

GIVEN = {
    "en": {"subtitle": "the subtitle", "evidence": "what a classifier says", "and": " and "},
    "zh": {"subtitle": "字幕", "evidence": "分类器的判断", "and": "，以及"},
}
"""How the disambiguation calls what it gives beside clues."""

HEADINGS = {
    "en": {"clues": "Clues: ", "subtitle": "Subtitle: ", "evidence": "Classifier (it may be wrong): "},
    "zh": {"clues": "线索：", "subtitle": "字幕：", "evidence": "分类器（可能有误）："},
}
"""What stands before each part of what the disambiguation is given."""

TRANSLATION = {
    "en": (
        "Translate the following text from Chinese into English. Keep its meaning, its tone and every emotion it "
        "names. Leave nothing in Chinese, add nothing, and output the translation alone."
    ),
    "zh": "请把下面的文字从英文翻译成中文。保留原意、语气和其中的每一种情感，不要添加内容，只输出译文。",
}
"""Translation of a text, by the language to translate into: our words."""

LABELS_TRANSLATION = {
    "en": (
        "Translate each of the following words for emotions from Chinese into English: one common English word for "
        'each where there is one, for example 高兴 -> happy, 生气 -> angry. Output a list such as ["happy", "angry"] '
        "and nothing else."
    ),
    "zh": (
        "请把下面每个表示情感的英文词翻译成常用的中文词，例如 happy -> 高兴，angry -> 生气。"
        '只输出一个列表，例如 ["高兴", "生气"]。'
    ),
}
"""Translation of labels, by the language to translate into: our words."""

OFFLINE = {"en": 'The person says: "{subtitle}"', "zh": "人物说：“{subtitle}”"}
"""What follows the clues in a description without any language model, by language."""

UNJUDGED = {"en": "Unable to judge the emotional state.", "zh": "无法判断情感状态。"}
"""The description of a clip of which nothing is known: the organisers' sentence, and ours in Chinese."""


CLUE_SUMMARY = """\
Please extract the description in relation to the character's emotional state, and then further summarize these \
descriptions.

input: {prediction}
output:"""
"""A judge's first question on clues: what a description says of the emotional state (EMER, Figure 3, Prompt 1)."""

CLUE_OVERLAP = """\
"True clues" and "Predicted clues" are given below. Please compute the overlap between "True clues" and "Predicted \
clues". The higher overlap, the higher score returned. Scores range from 0-10.

True clues: lifted eyebrows, smiling face
Predicted clues: lifted eyebrows
Score: 5

True clues: {gt_clue}
Predicted clues: {pred_clue}
Score:"""
"""A judge's second question on clues: how far two answers to the first agree (EMER, Figure 3, Prompt 2)."""

EMOTION_SUMMARY = """\
Please summarize the person's emotional state:

Input: He looks happy but is actually anxious.
Output: anxious

Input: {prediction}
Output:"""
"""The emotions that a description names: a judge's first question on labels (EMER, Figure 4, Prompt 1), and how the
corpus of EMER was labelled (Figure 2)."""

EMOTION_OVERLAP = """\
"True Emotion" and "Predicted Emotion" are given below. Please compute the degree of overlap between "True Emotion" \
and "Predicted Emotion". The higher overlap, the higher score returned. Scores range from 0-10.

True Emotion: happy
Predicted Emotion: happiness
Score: 10

True Emotion: {gt_emo}
Predicted Emotion: {pred_emo}
Score:"""
"""A judge's second question on labels (EMER, Figure 4, Prompt 2)."""

COVERED_MODALITIES = """\
Please summarize how many modalities are covered by the input. You can choose from ['audio', 'visual', 'content']:

input: He looks happy and the music makes me happy.
output: visual, audio

input: He looks happy and the music makes me happy. Meanwhile, he express his gratitude to the researchers.
output: visual, audio, content

input: {prediction}
output:"""
"""Which modalities a description draws on (EMER, Figure 5)."""
ANNOTATION_SUMMARY = """\
Multi-paragraph descriptions of a video is given below. Please summarize these descriptions as follows:

1. Please unify the subject of multiple paragraphs of "Clue Description" into "he".
2. Please summarize the multiple paragraphs of "Clue Description", delete repeated words, phrases or sentences, and \
describe the final result in complete sentences.
3. Check punctuation.

Input:

{clues}

Output"""
"""What people wrote of one clip, summarised (EMER, Figure 1); `clues` are lines of ANNOTATED_CLUE."""

ANNOTATED_CLUE = '"Clue Description {number}": {clue}'

CLOSING = {
    "en": "With the assistance of these clues, we can infer the character's emotional state as {emotions}.",
    "zh": "根据这些线索，可以推断出人物的情感状态是{emotions}。",
}
"""What combines clues and emotions into one paragraph, after the clues (EMER §2), and the same in Chinese."""


STYLES = ("mer2024", "emer", "subtitle", "notes")
"""How clues become descriptions: by clues alone and a disambiguation after them (MER2024), in ONE_STEP, by
SUBTITLE_CLUES, or by clues alone and the notes' prompt after them."""

ONE_STEP_STYLES = ("emer", "subtitle")
"""Styles whose clues are descriptions: the question held the subtitle."""


def clue_prompt(style: str, perceived: str, subtitle: str) -> str:
    """What a model that perceives `audio`, `video` or `audio-video` is asked of a clip; `subtitle` may be empty."""
    if style == "emer":
        return ONE_STEP.format(subtitle=subtitle).replace("<Subtitle>  </Subtitle>", "<Subtitle> </Subtitle>")
    if style == "subtitle" and subtitle:
        return SUBTITLE_CLUES[perceived].format(subtitle=subtitle)
    return CLUES[perceived]


def annotation_summary_prompt(clues: Sequence[str]) -> str:
    """The summary of what several people wrote of one clip."""
    lines = [ANNOTATED_CLUE.format(number=number, clue=clue) for number, clue in enumerate(clues, start=1)]
    return ANNOTATION_SUMMARY.format(clues="\n".join(lines))


def combined(clues: str, emotions: Sequence[str], language: str) -> str:
    """Clues and the emotions that they tell of in one paragraph, as EMER's descriptions end."""
    listed = {"en": ", ".join, "zh": "、".join}[language](emotions)
    return (" " if language == "en" else "").join([clues.strip(), CLOSING[language].format(emotions=listed)])


def labels_prompt(description: str, language: str = "en", *, shots: bool = False) -> str:
    """The extraction of labels from `description`; with `shots` the organisers' later examples stand before it."""
    prompt = LABELS if language == "en" else LABELS_IN_CHINESE
    examples = [f"Input: {given}\nOutput: {answer}" for given, answer in LABEL_SHOTS] if shots else []
    return "\n\n".join([prompt, *examples, f"Input: {description}\nOutput:"])


def disambiguation_prompt(clues: str, perceived: str, subtitle: str, evidence: str, language: str) -> str:
    """What the disambiguation asks of a clip; each of `clues`, `subtitle` and `evidence` may be empty, not all.

    `perceived` says what the clues come from: `audio`, `video` or `audio-video`.
    """
    words = GIVEN[language]
    parts = {"clues": clues, "subtitle": subtitle, "evidence": evidence}
    called = {"clues": CLUES_OF[language][perceived], **words}
    given = words["and"].join(called[part] for part, text in parts.items() if text)
    task = DISAMBIGUATION[language].format(given=given)
    return "\n\n".join([task, *(HEADINGS[language][part] + text for part, text in parts.items() if text)])


def noted_prompt(visual_clues: str, audio_clues: str, subtitle: str, evidence: str) -> str:
    """The notes' prompt of clues and subtitle, with EMER's question; what is lacking is said to be unknown."""
    known = {"visual_clues": visual_clues, "audio_clues": audio_clues, "subtitle": subtitle}
    statement = NOTED_CLUES.format(**{part: text.rstrip(".。 ") or "unknown" for part, text in known.items()})
    return " ".join(filter(None, [statement, evidence, NOTED_QUESTION]))


def offline_description(clues: str, subtitle: str, language: str) -> str:
    """A description put together without a language model; empty where both parts are."""
    said = OFFLINE[language].format(subtitle=subtitle) if subtitle else ""
    return (" " if language == "en" else "").join(filter(None, [clues, said]))
