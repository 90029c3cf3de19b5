"""Probability of hate or offence by HateSonar."""

import json
import sys

from hatesonar import Sonar

sonar = Sonar()
for line in sys.stdin:
    classes = sonar.ping(text=json.loads(line)["text"])["classes"]
    harm = sum(each["confidence"] for each in classes if each["class_name"] != "neither")
    print(min(harm, 1.0))  # rounding may carry a sum past 1
