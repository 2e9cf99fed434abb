"""Training by several processes: who takes part, what they tell each other, and how they are started."""
