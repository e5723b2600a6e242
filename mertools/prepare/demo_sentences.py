"""What the speakers of the demo corpus say: sentences in Mandarin and English that mean the same, made of parts.

Two parts make a sentence, so most sentences of the test splits do not occur in training although their parts do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mertools.prepare.draws import one_of

Pair = tuple[str, str]


@dataclass(frozen=True)
class Sentence:
    """One sentence in both languages, and the shade of its emotion that it names or gives away ("" for none)."""

    mandarin: str
    english: str
    feeling: str = ""


class Opening(NamedTuple):
    """How a sentence begins, and what this says of its speaker beyond the emotion's own name."""

    mandarin: str
    english: str
    feeling: str = ""


# An emotion's sentence: why it is felt, after what one exclaims. Endings bring their punctuation.
OPENINGS: dict[str, tuple[Opening, ...]] = {
    "angry": (
        Opening("气死我了，", "I am furious,", "furious"),
        Opening("太过分了，", "This is outrageous,", "outraged"),
        Opening("我受够了，", "I have had enough,", "exasperated"),
        Opening("真让人火大，", "It makes me so angry,"),
        Opening("岂有此理，", "How dare you,", "indignant"),
        Opening("我恨透了，", "I hate this,", "hateful"),
    ),
    "happy": (
        Opening("太高兴了，", "I am so happy,"),
        Opening("太棒了，", "This is wonderful,", "delighted"),
        Opening("我好开心，", "I am delighted,", "delighted"),
        Opening("真是好消息，", "What great news,", "glad"),
        Opening("我太幸福了，", "I feel so lucky,", "blissful"),
        Opening("哈哈，太好了，", "Hooray,", "cheerful"),
    ),
    "sad": (
        Opening("我好难过，", "I am so sad,"),
        Opening("我心都碎了，", "My heart is broken,", "heartbroken"),
        Opening("我一直在哭，", "I cannot stop crying,", "tearful"),
        Opening("真让人伤心，", "It hurts so much,", "hurt"),
        Opening("我好孤单，", "I feel so lonely,", "lonely"),
        Opening("心里空空的，", "I feel so empty,", "empty"),
    ),
    "worried": (
        Opening("我很担心，", "I am so worried,"),
        Opening("我好紧张，", "I am really nervous,", "nervous"),
        Opening("我好害怕，", "I am afraid,", "afraid"),
        Opening("这可怎么办，", "What shall we do,", "helpless"),
        Opening("我心里不安，", "I feel so anxious,", "anxious"),
        Opening("我急得睡不着，", "I cannot sleep for worry,", "restless"),
    ),
    "surprise": (
        Opening("天哪，", "Oh my god,", "shocked"),
        Opening("什么，", "What,"),
        Opening("真没想到，", "I never expected this,", "astonished"),
        Opening("不会吧，", "No way,", "disbelieving"),
        Opening("吓我一跳，", "You startled me,", "startled"),
        Opening("我不敢相信，", "I cannot believe it,", "disbelieving"),
    ),
}

REASONS: dict[str, tuple[Pair, ...]] = {
    "angry": (
        ("你又骗了我！", "you lied to me again!"),
        ("他居然偷我的钱！", "he stole my money!"),
        ("你弄坏了我的车！", "you wrecked my car!"),
        ("他们又把责任推给我！", "they put the blame on me again!"),
        ("你从来不听我说话！", "you never listen to me!"),
        ("邻居又吵了一整夜！", "the neighbours shouted all night!"),
        ("他当众侮辱我！", "he insulted me in front of everyone!"),
        ("你偷看了我的信！", "you read my private letters!"),
        ("他们无缘无故开除我！", "they fired me for no reason!"),
        ("他插队还骂人！", "he jumped the queue and swore at us!"),
    ),
    "happy": (
        ("我们得了第一名！", "we won the first prize!"),
        ("她答应嫁给我了！", "she said she will marry me!"),
        ("我考上大学了！", "I got into university!"),
        ("宝宝对我笑了！", "the baby smiled at me!"),
        ("周末我们去海边玩！", "we are going to the beach!"),
        ("我升职了！", "I got the promotion!"),
        ("老朋友都来了！", "all my old friends are here!"),
        ("生日聚会真好玩！", "the birthday party is great fun!"),
        ("今天阳光真好！", "the sun is shining today!"),
        ("我的病全好了！", "I am completely well again!"),
    ),
    "sad": (
        ("我的小狗死了。", "my little dog died."),
        ("她永远离开了我。", "she has left me forever."),
        ("奶奶去世了。", "my grandmother passed away."),
        ("我们再也见不到了。", "we will never meet again."),
        ("家里只剩下我了。", "I am the only one left at home."),
        ("他把我忘了。", "he has forgotten me."),
        ("一切都结束了。", "everything is over now."),
        ("我失去了最好的朋友。", "I lost my best friend."),
        ("老房子没有了。", "the old house is gone."),
        ("我的梦想破灭了。", "my dream is lost."),
    ),
    "worried": (
        ("他还没有回家。", "he has not come home yet."),
        ("万一手术失败呢？", "what if the operation fails?"),
        ("明天考试可能不及格。", "I may fail the exam tomorrow."),
        ("医生还没回电话。", "the doctor has not called back."),
        ("孩子一直发烧。", "the child still has a fever."),
        ("电话一直打不通。", "nobody answers the phone."),
        ("我们的钱可能不够。", "our money may not be enough."),
        ("台风快要来了。", "the typhoon is coming soon."),
        ("飞机晚点太久了。", "the plane is far too late."),
        ("好像有人在跟踪我。", "someone may be following me."),
    ),
    "surprise": (
        ("你怎么在这里！", "you are here!"),
        ("你从哪儿冒出来的！", "where did you come from!"),
        ("他竟然会说中文！", "he actually speaks Chinese!"),
        ("门自己开了！", "the door opened by itself!"),
        ("你把头发全剪了！", "you cut off all your hair!"),
        ("原来你们是双胞胎！", "you two are twins!"),
        ("这么大的西瓜！", "what a huge watermelon!"),
        ("夏天竟然下雪了！", "it is snowing in summer!"),
        ("他吃了十碗饭！", "he ate ten bowls of rice!"),
        ("这幅画居然是真的！", "this painting is real!"),
    ),
}

# Sentences that fit both of two emotions.
AMBIGUOUS: dict[frozenset[str], tuple[Pair, ...]] = {
    frozenset({"angry", "sad"}): (
        ("你答应我的事又没做到。", "You broke your promise to me again."),
        ("原来他一直在骗我。", "So he has been lying to me all along."),
        ("你们谁也不在乎我。", "None of you cares about me."),
        ("他一句话没说就走了。", "He left without saying a word."),
    ),
    frozenset({"angry", "worried"}): (
        ("你为什么一直不接电话？", "Why did you not answer the phone?"),
        ("这么晚了你去哪儿了？", "Where have you been so late?"),
        ("谁动了我的抽屉？", "Who has been in my drawer?"),
        ("这样下去会出事的。", "This will end badly."),
    ),
    frozenset({"happy", "surprise"}): (
        ("你真的给我买了礼物？", "You really bought me a present?"),
        ("我真的中奖了吗？", "Did I really win the lottery?"),
        ("你们都来看我了！", "All of you came to see me!"),
        ("有人买了我的画！", "Somebody bought my painting!"),
    ),
    frozenset({"sad", "worried"}): (
        ("我不知道以后怎么办。", "I do not know how to go on."),
        ("他的病越来越重了。", "His illness is getting worse."),
        ("妈妈三天没吃东西了。", "Mother has not eaten for three days."),
        ("没有人能帮我们。", "There is nobody to help us."),
    ),
    frozenset({"surprise", "worried"}): (
        ("刚才那是什么声音？", "What was that noise just now?"),
        ("灯怎么突然全灭了？", "Why did all the lights go out?"),
        ("他怎么会在医院里？", "Why is he in hospital?"),
        ("我的包怎么不见了？", "How can my bag be gone?"),
    ),
}


@dataclass(frozen=True)
class Pattern:
    """A sentence with two places to fill: `{0}` and `{1}` in both languages."""

    mandarin: str
    english: str
    first: tuple[Pair, ...]
    second: tuple[Pair, ...]


EVERYDAY: tuple[Pattern, ...] = (
    Pattern(
        "{0}{1}开始。",
        "The {0} starts {1}.",
        (("会议", "meeting"), ("这节课", "lesson"), ("讲座", "lecture"), ("电影", "film"), ("培训", "training")),
        (
            ("明天九点", "at nine tomorrow"),
            ("下午三点", "at three this afternoon"),
            ("星期一上午", "on Monday morning"),
            ("十点半", "at half past ten"),
            ("晚上七点", "at seven this evening"),
        ),
    ),
    Pattern(
        "{0}在{1}。",
        "The {0} is {1}.",
        (
            ("钥匙", "key"),
            ("雨伞", "umbrella"),
            ("说明书", "manual"),
            ("充电器", "charger"),
            ("信封", "envelope"),
        ),
        (
            ("桌子上", "on the table"),
            ("门后面", "behind the door"),
            ("第二个抽屉里", "in the second drawer"),
            ("书架上", "on the shelf"),
            ("那个包里", "in that bag"),
        ),
    ),
    Pattern(
        "我一般{0}去{1}。",
        "I usually {0} to the {1}.",
        (("坐公交车", "take the bus"), ("骑自行车", "ride a bike"), ("坐地铁", "take the subway"), ("走路", "walk")),
        (("公司", "office"), ("图书馆", "library"), ("超市", "supermarket"), ("健身房", "gym")),
    ),
    Pattern(
        "{0}在{1}。",
        "The {0} is {1}.",
        (("银行", "bank"), ("药店", "pharmacy"), ("面包店", "bakery"), ("停车场", "car park")),
        (
            ("邮局旁边", "next to the post office"),
            ("车站对面", "opposite the station"),
            ("学校后面", "behind the school"),
            ("这条街的尽头", "at the end of this street"),
        ),
    ),
    Pattern(
        "他每天{1}{0}。",
        "He {0} {1} every day.",
        (
            ("看报纸", "reads the newspaper"),
            ("喝一杯茶", "drinks a cup of tea"),
            ("散步半小时", "walks for half an hour"),
            ("去买菜", "buys vegetables"),
        ),
        (("早上", "in the morning"), ("午饭后", "after lunch"), ("傍晚", "in the evening")),
    ),
    Pattern(
        "请把{0}{1}。",
        "Please {1} the {0}.",
        (("表格", "form"), ("名单", "list"), ("报告", "report"), ("日程表", "schedule")),
        (("打印两份", "print two copies of"), ("发给办公室", "send the office"), ("放进文件夹", "file")),
    ),
)


def is_confused_with(emotion: str, other: str) -> bool:
    """Whether some sentences fit both emotions."""
    return frozenset({emotion, other}) in AMBIGUOUS


def draw_sentence(rng: np.random.Generator, emotion: str, other: str | None = None) -> Sentence:
    """A sentence that speaks of `emotion`, or fits it and `other` alike; everyday things for "neutral"."""
    feeling = ""
    if other is not None:
        mandarin, english = one_of(rng, AMBIGUOUS[frozenset({emotion, other})])
    elif emotion == "neutral":
        pattern = one_of(rng, EVERYDAY)
        fillings = zip(one_of(rng, pattern.first), one_of(rng, pattern.second), strict=True)
        mandarin, english = (
            part.format(*filling) for part, filling in zip((pattern.mandarin, pattern.english), fillings, strict=True)
        )
    else:
        opening, reason = one_of(rng, OPENINGS[emotion]), one_of(rng, REASONS[emotion])
        mandarin, english = opening.mandarin + reason[0], f"{opening.english} {reason[1]}"
        feeling = opening.feeling
    return Sentence(mandarin, english, feeling)
