#!/usr/bin/env python3
"""Write a tiny Llama with random weights, its tokenizer and a LoRA adapter, for a real vLLM to serve.

    tiny_model.py OUT [--seed N]        ->  OUT/model, OUT/adapter (PEFT layout)

Its answers are noise: it stands in for the wire format, the limits, scheduling, LoRA routing and
constrained decoding, never for quality. The noise is steered (`token_bias`) to printable ASCII, strings
that close and answers that end; unsteered, constrained output runs into `max_tokens` and proves nothing.
As it is, 48 notes gave 48 different records of some nulls and some strings, 80 to 360 tokens each.
Repeatable byte for byte with the pinned libraries. No torch, so it takes about a second.
"""

import argparse
import json
import pathlib

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

# vLLM's CPU attention takes few head sizes; 64 is one of them and leaves the rest free to be small.
HIDDEN, FEED_FORWARD, LAYERS, HEADS, KV_HEADS, HEAD_SIZE = 256, 512, 2, 4, 2, 64
VOCABULARY, LORA_RANK = 1024, 8
BOS, EOS, END_OF_TURN, PAD = "<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|pad|>"
CONTROL_TOKENS = [BOS, EOS, END_OF_TURN, "<|start_header_id|>", "<|end_header_id|>", PAD]

# Channel 0 of the residual stream holds this for every token and nothing writes to it, so the first
# column of lm_head works as the per-token bias that a Llama does not have.
BIAS_CHANNEL = 4.0

# Gives the tokenizer some merges of our kind of text. Whatever is not in here is spelled byte by byte.
SAMPLE_TEXT = [
    "70-year-old man with metastatic cutaneous melanoma, PD-L1 5 %, TMB-high, brain metastases.",
    "Stage IIIA non-small cell lung cancer, EGFR exon 19 deletion, partial response to osimertinib.",
    "Invasive ductal carcinoma of the breast, ER positive, HER2 negative, BRCA1 carrier.",
    '{"cancer_type": null, "stage": null, "gene_mutation": null, "biomarker": null, '
    '"treatment": null, "response": null, "metastasis_site": null}',
    "You are a medical information extraction assistant. Extract all cancer-related entities. Text:",
]


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def make_tokenizer(folder):
    """Byte-level BPE: any UTF-8 text survives the round trip."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(SAMPLE_TEXT, trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=CONTROL_TOKENS, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    # As Llama 3 does it: the first token is BOS, nothing is added at the end.
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, tokenizer.token_to_id(BOS))])
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(folder / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": BOS, "eos_token": EOS, "pad_token": PAD,
        "model_max_length": 131072, "clean_up_tokenization_spaces": False})
    return tokenizer


def token_bias(tokenizer):
    bias = np.zeros(tokenizer.get_vocab_size(), np.float32)
    for token in range(len(bias)):
        text = tokenizer.decode([token], skip_special_tokens=False)
        if text in (EOS, END_OF_TURN):
            bias[token] = 2.0
        elif text in CONTROL_TOKENS or not (text.isascii() and text.isprintable() and text.strip()):
            bias[token] = -40.0
        elif text == '"':
            bias[token] = 5.0
    return bias


def linear_maps(layer):
    """(name, outputs, inputs, writes to the residual stream) of each linear map of one layer."""
    prefix, queries, keys = f"model.layers.{layer}", HEADS * HEAD_SIZE, KV_HEADS * HEAD_SIZE
    return [
        (f"{prefix}.self_attn.q_proj", queries, HIDDEN, False),
        (f"{prefix}.self_attn.k_proj", keys, HIDDEN, False),
        (f"{prefix}.self_attn.v_proj", keys, HIDDEN, False),
        (f"{prefix}.self_attn.o_proj", HIDDEN, queries, True),
        (f"{prefix}.mlp.gate_proj", FEED_FORWARD, HIDDEN, False),
        (f"{prefix}.mlp.up_proj", FEED_FORWARD, HIDDEN, False),
        (f"{prefix}.mlp.down_proj", HIDDEN, FEED_FORWARD, True),
    ]


def normal(random, deviation, *shape):
    return (random.standard_normal(shape) * deviation).astype(np.float32)


def make_weights(folder, tokenizer, random):
    vocabulary = tokenizer.get_vocab_size()
    embedding, head = normal(random, 1.0, vocabulary, HIDDEN), normal(random, 0.1, vocabulary, HIDDEN)
    embedding[:, 0], head[:, 0] = BIAS_CHANNEL, token_bias(tokenizer) / BIAS_CHANNEL
    ones = np.ones(HIDDEN, np.float32)
    weights = {"model.embed_tokens.weight": embedding, "lm_head.weight": head, "model.norm.weight": ones}
    for layer in range(LAYERS):
        for name, outputs, inputs, writes in linear_maps(layer):
            # Large enough that the context decides. At half of this the last token alone does, and
            # every note gets one and the same answer.
            weights[f"{name}.weight"] = weight = normal(random, 0.1, outputs, inputs)
            if writes:
                weight[0] = 0.0
        for norm in ("input_layernorm", "post_attention_layernorm"):
            weights[f"model.layers.{layer}.{norm}.weight"] = ones
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def write_model_config(folder, tokenizer):
    ids = {name: tokenizer.token_to_id(name) for name in CONTROL_TOKENS}
    write_json(folder / "config.json", {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "float32",
        "vocab_size": tokenizer.get_vocab_size(), "hidden_size": HIDDEN, "intermediate_size": FEED_FORWARD,
        "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_SIZE, "hidden_act": "silu", "rms_norm_eps": 1e-5, "tie_word_embeddings": False,
        # Long enough that the context limit is the server's --max-model-len, as with the real model.
        "max_position_embeddings": 131072, "rope_theta": 500000.0,
        "bos_token_id": ids[BOS], "eos_token_id": ids[EOS], "pad_token_id": ids[PAD]})
    write_json(folder / "generation_config.json", {
        "bos_token_id": ids[BOS], "eos_token_id": [ids[EOS], ids[END_OF_TURN]]})


def make_adapter(folder, random):
    weights = {}
    for layer in range(LAYERS):
        for name, outputs, inputs, writes in linear_maps(layer):
            # Neither half is zero, as after real training: with the adapter the answers are others than without.
            down, up = normal(random, 0.05, LORA_RANK, inputs), normal(random, 0.05, outputs, LORA_RANK)
            if writes:
                up[0] = 0.0
            weights[f"base_model.model.{name}.lora_A.weight"] = down
            weights[f"base_model.model.{name}.lora_B.weight"] = up
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    write_json(folder / "adapter_config.json", {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": "tiny-random-llama",
        "r": LORA_RANK, "lora_alpha": 2 * LORA_RANK, "lora_dropout": 0.0, "bias": "none",
        "fan_in_fan_out": False, "inference_mode": True, "modules_to_save": None,
        "target_modules": [name.rpartition(".")[2] for name, *_ in linear_maps(0)]})


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("out", type=pathlib.Path)
    arguments.add_argument("--seed", type=int, default=7)
    options = arguments.parse_args()
    model, adapter = options.out / "model", options.out / "adapter"
    for folder in (model, adapter):
        folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(options.seed)
    tokenizer = make_tokenizer(model)
    make_weights(model, tokenizer, random)
    write_model_config(model, tokenizer)
    make_adapter(adapter, random)


if __name__ == "__main__":
    main()
