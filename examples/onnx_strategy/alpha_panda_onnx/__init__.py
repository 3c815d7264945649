"""A strategy that asks an ONNX model for the direction of the next bar."""
