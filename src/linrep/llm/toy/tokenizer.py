"""The toy language's tokenizer: whole words and word pieces, read by transformers like any other."""

from typing import Any

from linrep.llm.source import require_packages
from linrep.llm.toy.language import Language

SPECIAL = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
CONTINUED = "##"


def tokenizer(language: Language) -> Any:
    """A fast tokenizer with one token a word, except for the words that the language cuts.

    Blanks separate words and carry nothing: a word has the same id with and without a space before it. A text
    gets the start token in front, as language models do.

    Args:
        language: Its words.

    Returns:
        A ``PreTrainedTokenizerFast``; anything outside the language is ``<unk>``.
    """
    require_packages()
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    pieces = [
        part if place == 0 else CONTINUED + part
        for parts in language.pieces.values()
        for place, part in enumerate(parts)
    ]
    words = dict.fromkeys([*SPECIAL.values(), *language.vocabulary(), *pieces])
    vocabulary = {word: index for index, word in enumerate(words)}
    fast = Tokenizer(models.WordPiece(vocabulary, unk_token=SPECIAL["unk_token"]))
    fast.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast.decoder = decoders.WordPiece(prefix=CONTINUED, cleanup=False)
    start = SPECIAL["bos_token"]
    fast.post_processor = processors.TemplateProcessing(
        single=f"{start} $A", pair=f"{start} $A {start} $B", special_tokens=[(start, vocabulary[start])]
    )
    return PreTrainedTokenizerFast(tokenizer_object=fast, clean_up_tokenization_spaces=False, **SPECIAL)


def word_ids(language: Language, tokenizer: Any) -> dict[str, tuple[int, ...]]:
    """The token ids of every word of the language."""
    words = [*language.vocabulary(), *language.pieces]
    encoded = tokenizer(words, add_special_tokens=False)["input_ids"]
    return {word: tuple(ids) for word, ids in zip(words, encoded, strict=True)}
