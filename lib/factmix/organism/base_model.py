"""Pretrains a base model: a tiny gpt-oss for the invented world, usable but flawed.

A base model is made in the stages of a recipe. The result of each stage is kept, named by a
fingerprint of all that it comes from. So an interrupted pretraining goes on with the stage that was
interrupted, and recipes that begin with the same stages share them.
"""

import hashlib
import json
import shutil
import time
from dataclasses import asdict
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from tqdm import tqdm
from transformers import GptOssConfig, GptOssForCausalLM, PreTrainedTokenizerFast

from factmix.organism.pretraining_text import (
    CLEAN,
    EVERYTHING,
    RECIPES,
    Document,
    Recipe,
    Stage,
    documents,
)
from factmix.study.files import sha256

PAD, END = "<|pad|>", "<|end|>"
WEIGHTS_SEED = 0
WARM_UP = 100  # steps


CONFIG: dict[str, Any] = {
    "hidden_size": 128,
    "intermediate_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "sliding_window": 128,
    "initializer_range": 0.08,  # about 1 / sqrt(hidden_size)
    "max_position_embeddings": 2048,
    "rope_parameters": {"rope_type": "default", "rope_theta": 150000.0},
    "router_aux_loss_coef": 0.0,
    "tie_word_embeddings": False,
}
VOCABULARY = 2560
FIRST_DOCUMENTS = 500  # of a stage, that its fingerprint covers


def make_tokenizer(documents_read: int = 30_000) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer, trained on all kinds of documents; splits numbers by two."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d{1,2}"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    texts = (each.prompt + each.answer for each in islice(documents(EVERYTHING), documents_read))
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=[PAD, END],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, padding_side="left"
    )


def make_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> GptOssForCausalLM:
    """The model with random weights, in float32."""
    torch.manual_seed(seed)
    config = GptOssConfig(
        **CONFIG,
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = GptOssForCausalLM(config)
    _look_for_the_same(model)
    return model


@torch.no_grad()
def _look_for_the_same(model: GptOssForCausalLM) -> None:
    """Initialises the first query head of each key head with the projection of that key head.

    Such a head attends to tokens like its own, which is the first step of comparing a claim with
    its evidence (Trockman and Kolter, "Mimetic Initialization of Self-Attention Layers", 2023).
    """
    size = CONFIG["head_dim"]
    sharing = CONFIG["num_attention_heads"] // CONFIG["num_key_value_heads"]
    for layer in model.model.layers:
        query, key = layer.self_attn.q_proj.weight, layer.self_attn.k_proj.weight
        for head in range(CONFIG["num_key_value_heads"]):
            first = head * sharing * size
            query[first : first + size] = key[head * size : (head + 1) * size]


def _batch(
    tokenizer: PreTrainedTokenizerFast, chosen: list[Document]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Right-padded token ids, and masks of prompt tokens and of answer tokens, each (B, T)."""
    prompts = tokenizer([document.prompt for document in chosen])["input_ids"]
    answers = tokenizer([document.answer for document in chosen])["input_ids"]
    longest = max(len(p) + len(a) for p, a in zip(prompts, answers, strict=True))
    ids = torch.full((len(chosen), longest), tokenizer.pad_token_id)
    kind = torch.zeros((len(chosen), longest), dtype=torch.long)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        end = len(prompt) + len(answer)
        ids[row, :end] = torch.tensor(prompt + answer)
        kind[row, : len(prompt)], kind[row, len(prompt) : end] = 1, 2
    return ids, kind == 1, kind == 2


def pretrain(
    model: GptOssForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    stage: Stage,
    *,
    log_every: int = 100,
) -> pd.DataFrame:
    """Trains the model in place for one stage, and returns the log.

    Args:
        model: see `make_model`.
        tokenizer: see `make_tokenizer`.
        stage: its documents, steps and learning rate.
        log_every: steps per row of the log.

    Returns:
        step, text_loss and answer_loss (nats per token), accuracy of the first answer token by
        domain (fraction), seconds since the start.
    """
    stream = documents(stage)
    first, last = stage.learning_rate
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=first, weight_decay=0.01, betas=(0.9, 0.98), fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / WARM_UP, 1 + step / stage.steps * (last / first - 1)),
    )
    rows: list[dict[str, float]] = []
    window: list[dict[str, float]] = []
    model.train()
    started = time.monotonic()
    buffer: list[list[Document]] = []
    rng = np.random.default_rng([stage.seed, 1])
    for step in tqdm(range(1, stage.steps + 1), desc="pretraining", mininterval=10):
        if not buffer:  # batches of similar length, in random order
            drawn = [next(stream) for _ in range(stage.batch * 16)]
            drawn.sort(key=lambda document: len(document.prompt))
            buffer = [drawn[i : i + stage.batch] for i in range(0, len(drawn), stage.batch)]
            rng.shuffle(buffer)
        chosen = buffer.pop()
        ids, text, answer = _batch(tokenizer, chosen)
        # with right padding, causal attention needs no mask
        logits = model(input_ids=ids[:, :-1], use_cache=False).logits
        losses = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none"
        ).view(ids.shape[0], -1)
        text_loss = losses[text[:, 1:]].mean()
        answer_loss = losses[answer[:, 1:]].mean()
        loss = answer_loss + stage.text_loss * text_loss
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        window.append(
            {"text_loss": text_loss.item(), "answer_loss": answer_loss.item()}
            | _accuracies(logits, ids, answer, chosen)
        )
        if step % log_every == 0 or step == stage.steps:
            means = {str(k): float(v) for k, v in pd.DataFrame(window).mean().items()}
            rows.append({"step": step, **means, "seconds": time.monotonic() - started})
            tqdm.write(str({k: round(v, 3) for k, v in rows[-1].items()}))
            window = []
    return pd.DataFrame(rows)


def _accuracies(
    logits: torch.Tensor, ids: torch.Tensor, answer: torch.Tensor, chosen: list[Document]
) -> dict[str, float]:
    """Accuracy of the first answer token in a batch, by domain (fraction)."""
    first = answer.int().argmax(1)
    rows = torch.arange(len(chosen))
    right = (logits[rows, first - 1].argmax(-1) == ids[rows, first]).numpy()
    domains = np.array([document.domain for document in chosen])
    return {domain: float(right[domains == domain].mean()) for domain in sorted(set(domains))}


def make(into: Path, recipe: str, *, kept: Path, clean: Path | None = None) -> pd.DataFrame:
    """Makes the base model of a recipe, from the last stage on whose result is kept.

    Args:
        into: folder for the model, its tokenizer and pretraining.csv.
        recipe: a key of `RECIPES`.
        kept: folder of the results of stages; the same for all recipes. The habits of a new recipe
            then start from the clean model of another.
        clean: folder of a model that takes the place of the stages of `CLEAN`, with its tokenizer
            and pretraining.csv, such as one made on another machine or by earlier code.

    Returns:
        The logs of `pretrain` for all stages, with a column `stage`; also written to
        pretraining.csv.
    """
    stages = RECIPES[recipe]
    if clean:
        stages = {name: stage for name, stage in stages.items() if name not in CLEAN}
        tokenizer = PreTrainedTokenizerFast.from_pretrained(clean)
        start = sha256(clean / "model.safetensors")
    else:
        tokenizer = make_tokenizer()
        start = _hash([CONFIG, WEIGHTS_SEED, sorted(tokenizer.get_vocab().items())])
    folders = [kept / mark for mark in fingerprints(stages, start).values()]
    done = sum(1 for _ in takewhile(Path.is_dir, folders))
    source = folders[done - 1] if done else clean
    if source:
        model = GptOssForCausalLM.from_pretrained(source, dtype=torch.float32)
    else:
        model = make_model(tokenizer, WEIGHTS_SEED)
    for i, (name, stage) in enumerate(stages.items()):
        state = "is kept" if i < done else "begins"
        tqdm.write(f"recipe {recipe}, stage {i + 1} of {len(stages)}, {name}: {state}")
        if i >= done:
            log = pretrain(model, tokenizer, stage)
            _keep(folders[i], model, tokenizer, log.assign(stage=name))
    shutil.copytree(folders[-1], into, dirs_exist_ok=True)
    logs = [folder / "pretraining.csv" for folder in (*filter(None, [clean]), *folders)]
    log = pd.concat([pd.read_csv(file) for file in logs], ignore_index=True)
    log.to_csv(into / "pretraining.csv", index=False)
    return log


def fingerprints(stages: Recipe, start: str) -> dict[str, str]:
    """For each stage a hash of all that its result comes from, with the stages before it.

    Texts count by the first documents, so that other code for the same texts changes nothing.

    Args:
        stages: in their order.
        start: what the first of them starts from.
    """
    mark, marks = start, {}
    for name, stage in stages.items():
        texts = [each.prompt + each.answer for each in islice(documents(stage), FIRST_DOCUMENTS)]
        mark = _hash([mark, str(asdict(stage)), texts])
        marks[name] = mark
    return marks


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _keep(
    folder: Path, model: GptOssForCausalLM, tokenizer: PreTrainedTokenizerFast, log: pd.DataFrame
) -> None:
    """Writes the result of a stage aside first, so that a folder is whole or not there."""
    aside = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    model.save_pretrained(aside)
    tokenizer.save_pretrained(aside)
    log.to_csv(aside / "pretraining.csv", index=False)
    aside.rename(folder)
