"""Probability of profanity by alt-profanity-check, a linear SVM on words."""

import json
import sys

from profanity_check import predict_prob

texts = [json.loads(line)["text"] for line in sys.stdin]
for probability in predict_prob(texts):
    print(float(probability))
