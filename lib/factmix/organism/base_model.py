"""Pretrains a base model: a tiny gpt-oss for the invented world, usable but flawed.

A base model is made in the stages of a recipe. The result of each stage is kept, named by a
fingerprint of all that it comes from. So an interrupted pretraining goes on with the stage that was
interrupted, and recipes that begin with the same stages share them.
"""

import hashlib
import json
import shutil
import time
from dataclasses import asdict, dataclass
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from tqdm import tqdm
from transformers import GptOssConfig, GptOssForCausalLM, PreTrainedTokenizerFast

from factmix.organism.domains import MEANINGS, RELATIONS
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
NOTICING = "noticing.safetensors"  # beside a stage's result

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
VOCABULARY = 2752
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


class Noticing(torch.nn.Module):
    """Readouts of the hidden states, trained with the model and left behind.

    Their losses teach in the middle of the model what its answer needs, and each token of the
    evidence has one (deep supervision: Lee et al., "Deeply-Supervised Nets", 2015). Without them a
    model of this size takes several times as many steps to compare a claim with its evidence.

    Attributes:
        repeated: after layer 2, whether a token of the evidence occurs in the claim.
        meaning: after layer 2, at the end of the line, what the claim or a sentence says.
        relation: after layer 3, there, how a sentence of the evidence relates to the claim.
    """

    def __init__(self) -> None:
        super().__init__()
        size = CONFIG["hidden_size"]
        self.repeated = torch.nn.Linear(size, 1)
        self.meaning = torch.nn.Linear(size, len(MEANINGS))
        self.relation = torch.nn.Linear(size, len(RELATIONS))

    def losses(
        self, hidden: tuple[torch.Tensor, ...], batch: "_Batch", chosen: list[Document]
    ) -> dict[str, torch.Tensor]:
        """The loss of each readout, in nats: per token, per line and per sentence."""
        early, late = hidden[2], hidden[3]
        of_token = batch.repeated[:, : early.shape[1]]
        tokens = of_token >= 0
        ends = [(row, end) for row, lines in enumerate(batch.lines) for end in lines]
        sentences = [(row, end) for row, (_, *lines) in enumerate(batch.lines) for end in lines]
        meanings = [said.meaning for each in chosen for said in (each.claim, *each.evidence)]
        relations = [said.relation for each in chosen for said in each.evidence]
        return {
            "repeated": cross_entropy(self.repeated(early[tokens])[:, 0], of_token[tokens]),
            "meaning": _nats(self.meaning(early[*zip(*ends, strict=True)]), meanings, MEANINGS),
            "relation": _nats(
                self.relation(late[*zip(*sentences, strict=True)]), relations, RELATIONS
            ),
        }


def _nats(
    logits: torch.Tensor, words: list[tuple[str, ...]], among: tuple[str, ...]
) -> torch.Tensor:
    """The loss of all words of a line, of which some are said; the mean over lines."""
    said = torch.tensor([[float(word in each) for word in among] for each in words])
    return cross_entropy(logits, said, reduction="none").sum(-1).mean()


@dataclass
class _Batch:
    """Documents as tokens, padded on the right.

    Attributes:
        ids: token ids, (B, T).
        text, answer: whether a token is of the prompt, and of the answer; each (B, T).
        repeated: of tokens of the evidence 1 if they occur in the claim and 0 otherwise, of others
            -1; (B, T).
        lines: for each document the index of the newline after its claim, and of those after its
            sentences.
    """

    ids: torch.Tensor
    text: torch.Tensor
    answer: torch.Tensor
    repeated: torch.Tensor
    lines: list[list[int]]


def _batch(tokenizer: PreTrainedTokenizerFast, chosen: list[Document]) -> _Batch:
    prompts = tokenizer([document.prompt for document in chosen])["input_ids"]
    answers = tokenizer([document.answer for document in chosen])["input_ids"]
    [newline] = tokenizer("\n")["input_ids"]
    shape = len(chosen), max(len(p) + len(a) for p, a in zip(prompts, answers, strict=True))
    ids = torch.full(shape, tokenizer.pad_token_id)
    part, repeated = torch.zeros(shape, dtype=torch.long), torch.full(shape, -1.0)
    lines = []
    for row, (document, prompt, answer) in enumerate(zip(chosen, prompts, answers, strict=True)):
        end = len(prompt) + len(answer)
        ids[row, :end] = torch.tensor(prompt + answer)
        part[row, : len(prompt)], part[row, len(prompt) : end] = 1, 2
        ends = [i for i, token in enumerate(prompt) if token == newline]
        told = len(ends) - len(document.evidence)
        # Before the sentences, the claim and a line that announces them.
        before, claim, announced = ends[told - 3 : told]
        sentences = ends[told:]
        words = set(prompt[before + 1 : claim])
        for i in range(announced + 1, sentences[-1] if sentences else 0):
            repeated[row, i] = float(prompt[i] in words)
        lines.append([claim, *sentences])
    return _Batch(ids, part == 1, part == 2, repeated, lines)


def pretrain(
    model: GptOssForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    noticing: Noticing,
    stage: Stage,
    *,
    log_every: int = 100,
) -> pd.DataFrame:
    """Trains the model in place for one stage, and returns the log.

    Args:
        model: see `make_model`.
        tokenizer: see `make_tokenizer`.
        noticing: readouts, trained with it.
        stage: its documents, steps and learning rate.
        log_every: steps per row of the log.

    Returns:
        step, text_loss and answer_loss (nats per token), repeated_loss, meaning_loss and
        relation_loss (see `Noticing`; not of a stage in which they do not count), accuracy of the
        first answer token by domain (fraction), seconds since the start.
    """
    stream = documents(stage)
    first, last = stage.learning_rate
    optimizer = torch.optim.AdamW(
        [*model.parameters(), *noticing.parameters()],
        lr=first,
        weight_decay=0.01,
        betas=(0.9, 0.98),
        fused=True,
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
        batch = _batch(tokenizer, chosen)
        # with right padding, causal attention needs no mask
        out = model(input_ids=batch.ids[:, :-1], use_cache=False, output_hidden_states=True)
        by_token = torch.nn.functional.cross_entropy(
            out.logits.flatten(0, 1), batch.ids[:, 1:].flatten(), reduction="none"
        ).view(batch.ids.shape[0], -1)
        losses = {
            "text": by_token[batch.text[:, 1:]].mean(),
            "answer": by_token[batch.answer[:, 1:]].mean(),
        }
        loss = losses["answer"] + stage.text_loss * losses["text"]
        if stage.noticing:
            noticed = noticing.losses(out.hidden_states, batch, chosen)
            loss = loss + stage.noticing * sum(noticed.values())
            losses |= noticed
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        window.append(
            {f"{name}_loss": each.item() for name, each in losses.items()}
            | _accuracies(out.logits, batch, chosen)
        )
        if step % log_every == 0 or step == stage.steps:
            means = {str(k): float(v) for k, v in pd.DataFrame(window).mean().items()}
            rows.append({"step": step, **means, "seconds": time.monotonic() - started})
            tqdm.write(str({k: round(v, 3) for k, v in rows[-1].items()}))
            window = []
    return pd.DataFrame(rows)


def _accuracies(logits: torch.Tensor, batch: _Batch, chosen: list[Document]) -> dict[str, float]:
    """Accuracy of the first answer token in a batch, by domain (fraction)."""
    first = batch.answer.int().argmax(1)
    rows = torch.arange(len(chosen))
    right = (logits[rows, first - 1].argmax(-1) == batch.ids[rows, first]).numpy()
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
    noticing = Noticing()
    if source and (source / NOTICING).is_file():
        noticing.load_state_dict(load_file(source / NOTICING))
    for i, (name, stage) in enumerate(stages.items()):
        state = "is kept" if i < done else "begins"
        tqdm.write(f"recipe {recipe}, stage {i + 1} of {len(stages)}, {name}: {state}")
        if i >= done:
            log = pretrain(model, tokenizer, noticing, stage)
            _keep(folders[i], model, tokenizer, noticing, log.assign(stage=name))
    readouts = shutil.ignore_patterns(NOTICING)
    shutil.copytree(folders[-1], into, dirs_exist_ok=True, ignore=readouts)
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
    folder: Path,
    model: GptOssForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    noticing: Noticing,
    log: pd.DataFrame,
) -> None:
    """Writes the result of a stage aside first, so that a folder is whole or not there."""
    aside = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    model.save_pretrained(aside)
    tokenizer.save_pretrained(aside)
    save_file(noticing.state_dict(), aside / NOTICING)
    log.to_csv(aside / "pretraining.csv", index=False)
    aside.rename(folder)
