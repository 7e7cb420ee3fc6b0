"""Runs in hand: how they are taken, driven step by step, and let go."""
