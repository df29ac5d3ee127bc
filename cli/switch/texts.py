"""What people look for in their photos: the texts that two models are compared on."""

TEXTS = (
    *("a dog", "a cat", "a bird in the air", "a horse on a meadow", "fish under water"),
    *("a child laughing", "a group of friends", "a wedding", "an old man", "a newborn baby"),
    *("a birthday cake", "people at a table", "a cup of coffee", "a bowl of fruit", "a pizza"),
    *("a sandy beach", "a mountain in the snow", "a forest in autumn", "a lake", "a waterfall"),
    *("a sunset", "the night sky", "fog in the morning", "a rainbow", "a thunderstorm"),
    *("a red car", "a bicycle", "a train at a station", "a boat on the sea", "an airplane"),
    *("a narrow street", "a skyline", "a bridge", "a church", "a house with a garden"),
    *("yellow flowers", "a tree without leaves", "a close-up of an insect", "a mushroom"),
    *("a screenshot", "a page of text", "a map", "a drawing", "a black and white photo"),
    *("a concert", "a football match", "fireworks", "a christmas tree", "an empty room"),
)
