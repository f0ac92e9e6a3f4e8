"""A zoo of architectures: tiny random models of every family, made on the spot from configurations."""

from dataclasses import dataclass, field
from typing import Any

import torch
import transformers

from .tiny import word_tokenizer

DIM, LAYERS, VOCABULARY = 32, 2, 128
CONCEPT = [(f"low{i}", f"high{i}") for i in range(12)]
OTHER = [(f"cold{i}", f"warm{i}") for i in range(12)]
FRAMES = [f"frame{i}" for i in range(6)]
PAIRS = {"low-high": CONCEPT, "cold-warm": OTHER}
TEXTS = (
    "frame0 low1 frame1",
    "frame2",
    "high3 frame4 cold5 frame5 low2 warm1",
    "frame3 high2",
    "warm4 low0 frame1",
)
IDS = {"vocab_size": VOCABULARY, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3}
PLAIN = {
    **IDS,
    "hidden_size": DIM,
    "intermediate_size": 2 * DIM,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "initializer_range": 0.2,
    "tie_word_embeddings": False,
}
BART = {
    "d_model": DIM,
    "encoder_layers": LAYERS,
    "decoder_layers": LAYERS,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
}
VISION = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "image_size": 8,
    "patch_size": 4,
    # the names that some families have for the same
    "depth": LAYERS,
    "num_heads": 2,
    "embed_dim": 16,
    "out_hidden_size": DIM,
    "num_global_layers": 1,
    "intermediate_layers_indices": [0, 1],
    "vision_output_dim": 48,
}


@dataclass(frozen=True)
class Species:
    """One architecture."""

    model: str
    """The library's class."""
    kind: str = "decoder"
    settings: dict[str, Any] = field(default_factory=dict)
    text: dict[str, Any] = field(default_factory=dict)
    """Of the language part of a model that has others."""
    after: int = 0
    """1 where the library's first hidden state is what the first block has left."""
    refused: str | None = None
    """What `--layer` says where no residual stream is defined."""


def some(
    model: str, kind: str = "decoder", *, refused: str | None = None, after: int = 0, **settings: Any
) -> Species:
    return Species(model, kind, settings, refused=refused, after=after)


ZOO: dict[str, Species] = {
    # decoders
    "gpt2": some("GPT2LMHeadModel", n_embd=DIM, n_layer=LAYERS, n_head=4, n_positions=64),
    "llama": some("LlamaForCausalLM"),
    "llama tied": some("LlamaForCausalLM", tie_word_embeddings=True),
    "neox": some("GPTNeoXForCausalLM"),
    "gptj": some("GPTJForCausalLM", n_embd=DIM, n_layer=LAYERS, n_head=4, n_positions=64, rotary_dim=8),
    "gpt neo": some(
        "GPTNeoForCausalLM", num_layers=LAYERS, num_heads=4, attention_types=[[["global", "local"], 1]]
    ),
    "codegen": some("CodeGenForCausalLM", n_embd=DIM, n_layer=LAYERS, n_head=4, n_positions=64, rotary_dim=8),
    "opt": some("OPTForCausalLM", ffn_dim=64, word_embed_proj_dim=DIM),
    "opt projected": some("OPTForCausalLM", ffn_dim=64, word_embed_proj_dim=16, refused="wide"),
    "bloom": some("BloomForCausalLM", n_layer=LAYERS, n_head=4),
    "mpt": some("MptForCausalLM", d_model=DIM, n_layers=LAYERS, n_heads=4, max_seq_len=64),
    "falcon": some("FalconForCausalLM", head_dim=None),
    "qwen2": some("Qwen2ForCausalLM"),
    "qwen3": some("Qwen3ForCausalLM"),
    "mistral": some("MistralForCausalLM"),
    "stablelm": some("StableLmForCausalLM"),
    "olmo2": some("Olmo2ForCausalLM"),
    "phi": some("PhiForCausalLM"),
    "biogpt": some("BioGptForCausalLM"),
    "xglm": some("XGLMForCausalLM", d_model=DIM, num_layers=LAYERS, attention_heads=4, ffn_dim=64),
    "openai gpt": some("OpenAIGPTLMHeadModel", n_embd=DIM, n_layer=LAYERS, n_head=4, n_positions=64),
    "ctrl": some("CTRLLMHeadModel", n_embd=DIM, n_layer=LAYERS, n_head=4, n_positions=64, dff=64),
    "starcoder2": some("Starcoder2ForCausalLM"),
    # heads with a scale, a cap or a bias of their own
    "gemma2 capped": some("Gemma2ForCausalLM", "scaled", final_logit_softcapping=1.5),
    "cohere scaled": some("CohereForCausalLM", "scaled", logit_scale=0.25),
    "granite scaled": some("GraniteForCausalLM", "scaled", logits_scaling=4.0),
    "minicpm scaled": some(
        "MiniCPM3ForCausalLM",
        num_key_value_heads=4,
        head_dim=None,
        q_lora_rank=8,
        kv_lora_rank=8,
        qk_nope_head_dim=8,
        qk_rope_head_dim=8,
        v_head_dim=8,
    ),
    "falcon h1 scaled": some(
        "FalconH1ForCausalLM",
        "scaled",
        lm_head_multiplier=0.5,
        mamba_d_ssm=64,
        mamba_n_heads=8,
        mamba_d_head=8,
        mamba_d_state=4,
        mamba_chunk_size=8,
    ),
    "hyperclovax scaled": some("HyperCLOVAXForCausalLM", "scaled", logits_scaling=0.5),
    "nanochat capped": some("NanoChatForCausalLM", "scaled", final_logit_softcapping=2.0),
    "recurrent gemma capped": some(
        "RecurrentGemmaForCausalLM", "scaled", logits_soft_cap=1.5, block_types=["recurrent", "attention"]
    ),
    # state spaces
    "mamba": some("MambaForCausalLM", after=1),
    "mamba2": some("Mamba2ForCausalLM", after=1, num_heads=8, n_groups=1, state_size=4, chunk_size=8),
    "falcon mamba": some("FalconMambaForCausalLM", after=1),
    "rwkv": some("RwkvForCausalLM", after=1),
    "jamba": some(
        "JambaForCausalLM", attn_layer_period=2, attn_layer_offset=1, num_experts=2, mamba_d_state=4
    ),
    "lfm2": some("Lfm2ForCausalLM"),
    # mixtures
    "mixtral": some("MixtralForCausalLM", num_local_experts=2),
    "qwen3 moe": some("Qwen3MoeForCausalLM", num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16),
    "olmoe": some("OlmoeForCausalLM", num_experts=4, num_experts_per_tok=2),
    "gpt oss": some("GptOssForCausalLM", num_local_experts=4, num_experts_per_tok=2),
    "deepseek v3": some(
        "DeepseekV3ForCausalLM",
        num_key_value_heads=4,
        head_dim=None,
        n_routed_experts=4,
        n_group=1,
        topk_group=1,
        num_experts_per_tok=2,
        moe_intermediate_size=16,
        q_lora_rank=8,
        kv_lora_rank=8,
        qk_nope_head_dim=8,
        qk_rope_head_dim=8,
        v_head_dim=8,
        first_k_dense_replace=1,
    ),
    # streams and other layouts
    "gemma3n": some(
        "Gemma3nForCausalLM",
        "scaled",
        refused="no single state",
        num_kv_shared_layers=0,
        laurel_rank=4,
        vocab_size_per_layer_input=VOCABULARY,
        hidden_size_per_layer_input=8,
        layer_types=["sliding_attention", "full_attention"],
        activation_sparsity_pattern=None,
    ),
    "xlnet": some(
        "XLNetLMHeadModel",
        refused="no single state",
        d_model=DIM,
        n_layer=LAYERS,
        n_head=4,
        d_inner=64,
        max_position_embeddings=None,
    ),
    "xlm": some("XLMWithLMHeadModel", refused="hidden state", emb_dim=DIM, n_layers=LAYERS, n_heads=4),
    "reformer": some("ReformerModelWithLMHead", refused="wide", is_decoder=True, axial_pos_embds=False),
    # masked
    "bert": some("BertForMaskedLM", "masked"),
    "roberta": some("RobertaForMaskedLM", "masked"),
    "distilbert": some("DistilBertForMaskedLM", "masked", dim=DIM, n_layers=LAYERS, n_heads=4, hidden_dim=64),
    "albert": some("AlbertForMaskedLM", "masked", embedding_size=16, refused="layer"),
    "electra": some("ElectraForMaskedLM", "masked", embedding_size=16, refused="wide"),
    "deberta": some("DebertaV2ForMaskedLM", "masked"),
    "modernbert": some("ModernBertForMaskedLM", "masked"),
    "mpnet": some("MPNetForMaskedLM", "masked"),
    # encoder-decoders
    "t5": some("T5ForConditionalGeneration", "encoder-decoder", d_model=DIM, num_layers=LAYERS, d_ff=64),
    "bart": some("BartForConditionalGeneration", "encoder-decoder", **BART),
    "marian": some("MarianMTModel", "encoder-decoder", decoder_start_token_id=3, **BART),
    # vision and language
    "llava": Species("LlavaForConditionalGeneration", "vision", text={"model_type": "llama"}),
    "gemma3": Species("Gemma3ForConditionalGeneration", "vision", text={"model_type": "gemma3_text"}),
    "paligemma": Species("PaliGemmaForConditionalGeneration", "vision", text={"model_type": "gemma"}),
    "qwen2 vl": Species(
        "Qwen2VLForConditionalGeneration",
        "vision",
        text={"rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]}},
    ),
    "qwen3 vl": Species("Qwen3VLForConditionalGeneration", "vision"),
    "idefics3": Species("Idefics3ForConditionalGeneration", "vision", text={"model_type": "llama"}),
    "blip2": Species(
        "Blip2ForConditionalGeneration",
        "pixels",
        {"qformer_config": {**VISION, "encoder_hidden_size": 16}},
        text={"model_type": "opt", "ffn_dim": 64, "word_embed_proj_dim": DIM},
    ),
    "mllama": Species("MllamaForConditionalGeneration", "vision"),
    "llama4": Species(
        "Llama4ForConditionalGeneration", "vision", text={"intermediate_size_mlp": 64, "num_local_experts": 2}
    ),
}


def tokenizer() -> Any:
    words = [word for pair in (*CONCEPT, *OTHER) for word in pair]
    return word_tokenizer([*words, *FRAMES])


def config_of(species: Species) -> Any:
    of = getattr(transformers, species.model).config_class
    if species.kind not in ("vision", "pixels"):
        given = {**PLAIN, **species.settings}
        return of(**{name: value for name, value in given.items() if value is not None})
    text = {**PLAIN, **species.text}
    return of(
        text_config=text, vision_config=VISION, **{**IDS, "tie_word_embeddings": False, **species.settings}
    )


def grown(species: Species, seed: int = 0) -> Any:
    """A model with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return getattr(transformers, species.model)(config_of(species)).eval()
