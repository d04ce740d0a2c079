"""Titanic: who survived?"""
