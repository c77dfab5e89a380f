"""The small files that accompany a model: scenarios, sensitivity settings, samples, save lists, data, payoffs."""
