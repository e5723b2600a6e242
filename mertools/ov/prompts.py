"""Every prompt of the suite, verbatim where a paper prints one (white space folded, no space before punctuation)."""

from __future__ import annotations

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

LABELS = (
    "Please assume the role of an expert in the field of emotions. We provide clues that may be related to the "
    "emotions of the characters. Based on the provided clues, please identify the emotional states of the main "
    "characters. Please separate different emotional categories with commas and output only the clearly "
    "identifiable emotional categories in a list format. If none are identified, please output an empty list."
)
"""The extraction of labels from a description (MER2024 §2.3)."""

GROUPING = (
    "Please assume the role of an expert in the field of emotions. We provide a set of emotions. Please group the "
    "emotions, with each group containing emotions with the same meaning. Directly output the results. The output "
    "format should be a list containing multiple lists."
)
"""The grouping of synonyms before scoring (MER2024 §3.4)."""
