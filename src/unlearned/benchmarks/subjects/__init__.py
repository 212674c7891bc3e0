"""From a name alone: which questions about ten subjects that most models know does `forget` find?"""
