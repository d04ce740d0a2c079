"""What can be asked about a run: more data? which features? over- or underfitting?"""
