"""Does a language model's answer decline to answer?"""

from __future__ import annotations

import re

BEGINNING = 240
"""Characters that are looked at: refusals begin with it; what a person cannot do, further on, is part of an answer."""

_I_CANNOT = (
    r"(?:i|we)\ ?(?:can(?:no|')t|can\ not|(?:am|was|are|were|'m|'re)\ (?:unable|not\ able)"
    r"|won't|will\ not|must\ decline|have\ to\ decline|do(?:\ not|n't)\ have\ the\ (?:ability|capability))\b"
)
_SERVE = (
    r"(?:help|assist|comply|fulfil|provide|answer|respond|engage|continue|create|generate|discuss|participate"
    r"|process|support|do\ (?:that|this|so))"
)
_AI = r"as\ an?\ (?:\w+[\ -]){0,3}?(?:ai|language\ model|assistant|llm)\b"
_SENTENCE = r"[^.!?。！？]"
_REFUSAL = re.compile(
    rf"""
    # "I'm sorry, but I can't …", "Sorry, I am unable to …", "My apologies, but I won't …"
    (?:(?:i'm|i\ am|we're|we\ are)\ )?(?:(?:very|so|truly)\ )?sorry\b {_SENTENCE}{{0,40}}? \b{_I_CANNOT}
    | (?:i'm|i\ am)\ afraid\b {_SENTENCE}{{0,20}}? \b{_I_CANNOT}
    | (?:(?:i|we|my)\ )?apolog(?:i[sz]e|ies)\b {_SENTENCE}{{0,60}}? \b{_I_CANNOT}
    # "I cannot help with that"; but "I cannot tell which emotion" is an answer
    | (?:unfortunately,?\ )?{_I_CANNOT} (?:\ to)? \ {_SERVE}\b
    | i\ (?:must|have\ to)\ decline\b
    | {_AI} {_SENTENCE}{{0,60}}? \b(?:{_I_CANNOT}|i\ (?:do\ not|don't)\ (?:have|feel|experience|possess))
    | (?:this|your|the)\ (?:request|content|prompt)\ (?:violates|goes\ against|is\ against)
    # "抱歉，我无法……", "对不起，我不能……", "我无法提供……", "作为一个人工智能，我无法……"
    | (?:很|非常|十分)?(?:抱歉|对不起|不好意思) {_SENTENCE}{{0,16}}? (?:无法|不能|不可以|没有?办法|拒绝)
    | (?:我|我们)(?:无法|不能|没有?办法)(?:为您|为你|给您|给你)?
      (?:帮助|帮|协助|提供|回答|满足|完成|继续|处理|执行|参与|讨论)
    | 作为(?:一个|一名|一款)?(?:ai|人工智能|大?语言模型|智能助手|助手) {_SENTENCE}{{0,30}}?
      (?:无法|不能|没有|不具备)
    """,
    re.IGNORECASE | re.VERBOSE,
)


def is_refusal(text: str) -> bool:
    """Whether `text`, in English or Chinese, begins by declining to answer.

    That an emotion cannot be told is an answer and no refusal; so is any list.
    """
    folded = " ".join(text.replace("’", "'").split())
    return _REFUSAL.match(folded.strip("\"'“”「」*# ")[:BEGINNING]) is not None
