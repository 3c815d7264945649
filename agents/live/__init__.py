"""What a live broker needs beside the engine: who may call, when, and what to make of silence."""
