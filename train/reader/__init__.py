"""Fine-tuning of PaddleOCR's recognition network on plates."""
