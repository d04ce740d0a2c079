"""Spaceship Titanic: who was transported to another dimension?"""
