"""How the mixture of training datasets changes what GRPO teaches about missing evidence."""
