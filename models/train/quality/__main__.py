from models.train.quality.fit import main

main()
