"""Tiny models of the shapes people use, made on the spot: random weights from a configuration, a tokenizer of
our words.
"""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertModel,
    CohereConfig,
    CohereForCausalLM,
    ElectraConfig,
    ElectraForPreTraining,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    PreTrainedTokenizerFast,
)

TEXTS = (
    "The king is here",
    "A queen",
    "The man was late this morning because he slept",
    "She said that the old house on the hill belongs to",
    "Long live the",
    "Every woman",
)
SPECIAL = {
    "unk_token": "<unk>",
    "bos_token": "<s>",
    "eos_token": "</s>",
    "pad_token": "<pad>",
    "mask_token": "<mask>",
}


def word_tokenizer(words: list[str]) -> PreTrainedTokenizerFast:
    """One token a word, blanks dropped: both ways of leading space give the same id."""
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys([*SPECIAL.values(), *words]))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **SPECIAL)


def byte_tokenizer(texts: list[str], size: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE as GPT-2's: a word with and without its space are different tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **SPECIAL)


def config_of(shape: str, vocabulary: int, *, tied: bool = False, dim: int = 32, layers: int = 3) -> Any:
    common: dict[str, Any] = {
        "vocab_size": vocabulary,
        "tie_word_embeddings": tied,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 3,
    }
    llama = {
        "hidden_size": dim,
        "intermediate_size": 2 * dim,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "max_position_embeddings": 128,
        **common,
    }
    match shape:
        case "gpt2":
            return GPT2Config(n_embd=dim, n_layer=layers, n_head=4, n_positions=128, **common)
        case "llama":
            return LlamaConfig(num_key_value_heads=2, initializer_range=0.2, **llama)
        case "neox":
            return GPTNeoXConfig(initializer_range=0.2, **llama)
        case "gemma2":
            return Gemma2Config(
                num_key_value_heads=2,
                head_dim=8,
                final_logit_softcapping=0.5,
                sliding_window=64,
                initializer_range=0.2,
                **llama,
            )
        case "phi":
            return PhiConfig(initializer_range=0.2, **llama)
        case "cohere":
            return CohereConfig(logit_scale=0.25, initializer_range=0.2, **llama)
        case "mixtral":
            return MixtralConfig(num_key_value_heads=2, num_local_experts=2, initializer_range=0.2, **llama)
        case "electra":
            return ElectraConfig(embedding_size=dim, **llama)
        case "bert" | "encoder":
            return BertConfig(**{**llama, "tie_word_embeddings": True})
    raise ValueError(shape)


CLASSES = {
    "gpt2": GPT2LMHeadModel,
    "llama": LlamaForCausalLM,
    "neox": GPTNeoXForCausalLM,
    "gemma2": Gemma2ForCausalLM,
    "phi": PhiForCausalLM,
    "cohere": CohereForCausalLM,
    "bert": BertForMaskedLM,
    "encoder": BertModel,
    "electra": ElectraForPreTraining,
    "mixtral": MixtralForCausalLM,
}


def tiny(
    shape: str, tokenizer: PreTrainedTokenizerFast, *, padded: int = 0, seed: int = 0, **config: Any
) -> Any:
    """A model of that shape with random weights; `padded` more rows than the tokenizer has tokens."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = CLASSES[shape](config_of(shape, len(tokenizer) + padded, **config))
        if shape == "phi":
            torch.nn.init.normal_(model.lm_head.bias)
    return model.eval()


def save(folder: Path, model: Any, tokenizer: Any, *, shard: str = "5GB") -> Path:
    model.save_pretrained(folder, max_shard_size=shard)
    tokenizer.save_pretrained(folder)
    return folder
