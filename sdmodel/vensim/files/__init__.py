"""The small files beside a model: scenarios, sensitivity settings, save lists, data, payoffs."""
