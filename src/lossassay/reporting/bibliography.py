"""References of the methods, as BibTeX."""

ENTRIES = {
    "dunn1961": """@article{dunn1961,
  author = {Dunn, Olive Jean},
  title = {Multiple Comparisons Among Means},
  journal = {Journal of the American Statistical Association},
  volume = {56}, number = {293}, pages = {52--64}, year = {1961}
}""",
    "westfall1993": """@book{westfall1993,
  author = {Westfall, Peter H. and Young, S. Stanley},
  title = {Resampling-Based Multiple Testing},
  publisher = {Wiley}, year = {1993}
}""",
    "guo2017": """@inproceedings{guo2017,
  author = {Guo, Chuan and Pleiss, Geoff and Sun, Yu and Weinberger, Kilian Q.},
  title = {On Calibration of Modern Neural Networks},
  booktitle = {International Conference on Machine Learning},
  pages = {1321--1330}, year = {2017}
}""",
    "platt1999": """@incollection{platt1999,
  author = {Platt, John C.},
  title = {Probabilistic Outputs for Support Vector Machines and Comparisons to Regularized Likelihood Methods},
  booktitle = {Advances in Large Margin Classifiers},
  publisher = {MIT Press}, pages = {61--74}, year = {1999}
}""",
    "lan1983": """@article{lan1983,
  author = {Lan, K. K. Gordon and DeMets, David L.},
  title = {Discrete Sequential Boundaries for Clinical Trials},
  journal = {Biometrika},
  volume = {70}, number = {3}, pages = {659--663}, year = {1983}
}""",
    "kim1987": """@article{kim1987,
  author = {Kim, Kyungmann and DeMets, David L.},
  title = {Design and Analysis of Group Sequential Tests Based on the Type {I} Error Spending Rate Function},
  journal = {Biometrika},
  volume = {74}, number = {1}, pages = {149--154}, year = {1987}
}""",
    "jennison1989": """@article{jennison1989,
  author = {Jennison, Christopher and Turnbull, Bruce W.},
  title = {Interim Analyses: The Repeated Confidence Interval Approach},
  journal = {Journal of the Royal Statistical Society, Series B},
  volume = {51}, number = {3}, pages = {305--361}, year = {1989}
}""",
    "lai1976": """@article{lai1976,
  author = {Lai, Tze Leung},
  title = {On Confidence Sequences},
  journal = {The Annals of Statistics},
  volume = {4}, number = {2}, pages = {265--280}, year = {1976}
}""",
    "wang2023": """@misc{wang2023,
  author = {Wang, Hongjian and Ramdas, Aaditya},
  title = {Anytime-Valid t-Tests and Confidence Sequences for {Gaussian} Means with Unknown Variance},
  note = {arXiv:2310.03722}, year = {2023}
}""",
    "bouthillier2021": """@inproceedings{bouthillier2021,
  author = {Bouthillier, Xavier and others},
  title = {Accounting for Variance in Machine Learning Benchmarks},
  booktitle = {Proceedings of Machine Learning and Systems}, year = {2021}
}""",
    "howe1974": """@article{howe1974,
  author = {Howe, W. G.},
  title = {Approximate Confidence Limits on the Mean of {X} + {Y} Where {X} and {Y} Are Two Tabled Independent
    Random Variables},
  journal = {Journal of the American Statistical Association},
  volume = {69}, number = {347}, pages = {789--794}, year = {1974}
}""",
    "zou2008": """@article{zou2008,
  author = {Zou, Guang Yong and Donner, Allan},
  title = {Construction of Confidence Limits about Effect Measures: A General Approach},
  journal = {Statistics in Medicine},
  volume = {27}, number = {10}, pages = {1693--1702}, year = {2008}
}""",
    "clopper1934": """@article{clopper1934,
  author = {Clopper, C. J. and Pearson, E. S.},
  title = {The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial},
  journal = {Biometrika},
  volume = {26}, number = {4}, pages = {404--413}, year = {1934}
}""",
    "satterthwaite1946": """@article{satterthwaite1946,
  author = {Satterthwaite, F. E.},
  title = {An Approximate Distribution of Estimates of Variance Components},
  journal = {Biometrics Bulletin},
  volume = {2}, number = {6}, pages = {110--114}, year = {1946}
}""",
    "holm1979": """@article{holm1979,
  author = {Holm, Sture},
  title = {A Simple Sequentially Rejective Multiple Test Procedure},
  journal = {Scandinavian Journal of Statistics},
  volume = {6}, number = {2}, pages = {65--70}, year = {1979}
}""",
    "owen2007": """@article{owen2007,
  author = {Owen, Art B.},
  title = {The Pigeonhole Bootstrap},
  journal = {The Annals of Applied Statistics},
  volume = {1}, number = {2}, pages = {386--411}, year = {2007}
}""",
    "bouckaert2004": """@inproceedings{bouckaert2004,
  author = {Bouckaert, Remco R. and Frank, Eibe},
  title = {Evaluating the Replicability of Significance Tests for Comparing Learning Algorithms},
  booktitle = {Advances in Knowledge Discovery and Data Mining (PAKDD)},
  pages = {3--12}, year = {2004}
}""",
    "nadeau2003": """@article{nadeau2003,
  author = {Nadeau, Claude and Bengio, Yoshua},
  title = {Inference for the Generalization Error},
  journal = {Machine Learning},
  volume = {52}, number = {3}, pages = {239--281}, year = {2003}
}""",
    "raunig2015": """@article{raunig2015,
  author = {Raunig, David L. and McShane, Lisa M. and Pennello, Gene and others},
  title = {Quantitative Imaging Biomarkers: A Review of Statistical Methods for Technical Performance Assessment},
  journal = {Statistical Methods in Medical Research},
  volume = {24}, number = {1}, pages = {27--67}, year = {2015}
}""",
    "shrout1979": """@article{shrout1979,
  author = {Shrout, Patrick E. and Fleiss, Joseph L.},
  title = {Intraclass Correlations: Uses in Assessing Rater Reliability},
  journal = {Psychological Bulletin},
  volume = {86}, number = {2}, pages = {420--428}, year = {1979}
}""",
    "mcgraw1996": """@article{mcgraw1996,
  author = {McGraw, Kenneth O. and Wong, S. P.},
  title = {Forming Inferences About Some Intraclass Correlation Coefficients},
  journal = {Psychological Methods},
  volume = {1}, number = {1}, pages = {30--46}, year = {1996}
}""",
    "zwanenburg2020": """@article{zwanenburg2020,
  author = {Zwanenburg, Alex and Valli{\\`e}res, Martin and Abdalah, Mahmoud A. and others},
  title = {The Image Biomarker Standardization Initiative},
  journal = {Radiology},
  volume = {295}, number = {2}, pages = {328--338}, year = {2020}
}""",
    "kornblith2021": """@inproceedings{kornblith2021,
  author = {Kornblith, Simon and Chen, Ting and Lee, Honglak and Norouzi, Mohammad},
  title = {Why Do Better Loss Functions Lead to Less Transferable Features?},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {34}, year = {2021}
}""",
    "kornblith2019": """@inproceedings{kornblith2019,
  author = {Kornblith, Simon and Norouzi, Mohammad and Lee, Honglak and Hinton, Geoffrey},
  title = {Similarity of Neural Network Representations Revisited},
  booktitle = {International Conference on Machine Learning},
  pages = {3519--3529}, year = {2019}
}""",
    "owen1998": """@article{owen1998,
  author = {Owen, Art B.},
  title = {Scrambling Sobol' and Niederreiter-Xing Points},
  journal = {Journal of Complexity},
  volume = {14}, number = {4}, pages = {466--489}, year = {1998}
}""",
    "bergstra2011": """@inproceedings{bergstra2011,
  author = {Bergstra, James and Bardenet, R{\\'e}mi and Bengio, Yoshua and K{\\'e}gl, Bal{\\'a}zs},
  title = {Algorithms for Hyper-Parameter Optimization},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {24}, year = {2011}
}""",
    "jamieson2016": """@inproceedings{jamieson2016,
  author = {Jamieson, Kevin and Talwalkar, Ameet},
  title = {Non-stochastic Best Arm Identification and Hyperparameter Optimization},
  booktitle = {Artificial Intelligence and Statistics},
  pages = {240--248}, year = {2016}
}""",
}
