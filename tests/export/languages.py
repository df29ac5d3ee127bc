# ruff: noqa: RUF001 (letters of other scripts are meant)
"""Captions in 20 languages, written for the tests: tokenizers learn from them and read them."""

from __future__ import annotations

# By the code of ISO 639-1.
CAPTIONS: dict[str, tuple[str, ...]] = {
    "ar": ("قطة بيضاء تنام على الأريكة", "أطفال يلعبون على الشاطئ", "سيارة حمراء أمام البيت"),
    "bn": ("একটি লাল গাড়ি রাস্তায় দাঁড়িয়ে আছে", "শিশুরা নদীর ধারে খেলছে", "টেবিলে এক কাপ চা"),
    "cs": ("Žlutý dům s červenou střechou", "Příliš žluťoučký kůň u řeky", "Dvě děti na sněhu"),
    "de": ("Ein großes Haus am Fluß", "Über den Dächern von Köln", "Zwei Kätzchen schlafen"),
    "el": ("ΜΙΑ ΓΑΤΑ ΣΤΟΝ ΚΗΠΟ ΤΗΣ", "Ο δρόμος προς τη θάλασσα", "Ένας μεγάλος λευκός σκύλος"),
    "en": ("A red car, parked in front of the house.", "Two dogs don't like the rain!", "HELLO"),
    "es": ("¿Dónde está el niño?", "Una mañana soleada en la montaña", "El pingüino y la cigüeña"),
    "fa": ("گربه‌ای روی دیوار نشسته است", "می‌خواهم به کوه بروم", "یک فنجان چای داغ"),
    "fi": ("Järven rannalla on pieni mökki", "Äiti ja lapsi metsässä", "Yöllä sataa lunta"),
    "fr": ("L'été à la plage, près de l'île", "Un cœur dessiné sur le mur", "Une forêt enneigée"),
    "he": ("חתול שחור יושב על הגג", "ילדים משחקים בגן", "כוס קפה על השולחן"),
    "hi": ("एक लाल गाड़ी घर के सामने खड़ी है", "बच्चे नदी के किनारे खेल रहे हैं", "मेज़ पर चाय का प्याला"),
    "it": ("Perché il gatto è sul tetto?", "Una città di notte", "Due bambini sulla neve"),
    "ja": ("海に沈む夕日", "ソファで眠る白い猫", "東京タワーとさくらの写真、２０２４年"),
    "ko": ("눈 덮인 산과 호수", "소파에서 자는 하얀 고양이", "아이들이 바닷가에서 놀고 있다"),
    "pl": ("Żółty samochód na ulicy", "Zażółć gęślą jaźń", "Dziewczynka z małym psem"),
    "ru": ("Рыжий кот спит на диване", "Дети играют у моря, а ёжик — нет", "Ночной город в огнях"),
    "th": ("แมวสีขาวนอนบนโซฟา", "เด็กๆ เล่นที่ชายหาด", "พระอาทิตย์ตกที่ทะเล"),
    "tr": ("İstanbul'da gün batımı", "Kırmızı bir araba evin önünde", "ÇOCUKLAR IŞIKTA OYNUYOR"),
    "zh": ("沙发上睡觉的白猫", "夕阳下的大海", "桌上有一杯咖啡和三本书。"),
}

# What people paste and phones type, besides captions.
AWKWARD = (
    "",
    "a",
    "...",
    "!?",
    "  a   cat\n",
    "I'm “here” – it’s 3,5 km… (really?)",
    "ﬁne ＡＢＣ １２３ ½ ² ™",
    "café cafe\u0301 naïve Å",
    "snake_case and ▁underline▁▁underline▁",
    "e-mail: someone@example.org #tag 100%",
    "a 🐱 and a 👩‍👩‍👧 with a ❤️",
    "dog,cat;bird/fish",
    "´acute ¨umlaut ¯macron",
    "x" * 60,
    "İSTANBUL ΟΔΟΣ ΣΑΣ Σ ẞ ǅ",
    "&lt;b&gt; &amp;amp; tea",
    "zero\u200bwidth and soft\u00adhyphen",
    "𝒜 𝔅 ℂ ① ㍿ 中文abc混合",
    "the same words " * 30,
)


def captions() -> list[str]:
    return [caption for texts in CAPTIONS.values() for caption in texts]


def every_text() -> list[str]:
    return [*captions(), *AWKWARD]
